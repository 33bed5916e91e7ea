package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

func artifactsCommand() command {
	return command{
		name:    "artifacts",
		args:    "RUN [JOB] [flags]",
		summary: "list the files that jobs gave back, or copy them",
		about: "artifacts lists the files that a run's jobs gave back, and those that were\n" +
			"refused. --copy copies them to DIR/<job>/<path>, of one job to DIR/<path>; where\n" +
			"any of them is there already, none is copied. " + aboutRun,
		examples: []string{
			"pikaci artifacts latest",
			"pikaci artifacts fixture unit-tests --copy out",
		},
		flags: func(set *pflag.FlagSet) runner {
			var r records
			to := set.String("copy", "", "`DIR` copy the files there; overwrites nothing")
			asJSON := set.Bool("json", false, "list them as JSON")
			r.register(set)
			return func(_ context.Context, s *session, args []string) error {
				if err := errors.Join(noneEmpty(set), exclude(set, "copy", "json")); err != nil {
					return err
				}
				found, err := r.artifacts(s, args)
				if err != nil {
					return err
				}
				return found.showOrCopy(s, *to, *asJSON)
			}
		},
	}
}

// artifactList are the artifacts of a run, or of one job of it.
type artifactList struct {
	dir   *record.Dir
	one   bool
	files []event.Artifact
}

func (r *records) artifacts(s *session, args []string) (*artifactList, error) {
	if len(args) < 1 || len(args) > 2 {
		return nil, usage("pikaci artifacts latest, or pikaci artifacts latest unit-tests", "artifacts takes a run and maybe a job, and %d are given", len(args))
	}
	dir, err := r.find(s, args[0])
	if err != nil {
		return nil, err
	}
	past, err := dir.Read()
	if err != nil {
		return nil, err
	}
	list := &artifactList{dir: dir, one: len(args) == 2, files: []event.Artifact{}}
	jobs := past.Run.Jobs
	if list.one {
		j, err := jobOf(past.Run, args[1])
		if err != nil {
			return nil, err
		}
		jobs = []record.JobRecord{*j}
	}
	for _, j := range jobs {
		for _, a := range j.Artifacts {
			// Of several attempts the last one's is there.
			list.files = slices.DeleteFunc(list.files, func(b event.Artifact) bool { return b.Job == a.Job && b.Path == a.Path })
			list.files = append(list.files, a)
		}
	}
	return list, nil
}

// jobOf is the record of a job that a person named.
func jobOf(r record.Run, id string) (*record.JobRecord, error) {
	var ids []string
	for i := range r.Jobs {
		if r.Jobs[i].ID == id {
			return &r.Jobs[i], nil
		}
		ids = append(ids, r.Jobs[i].ID)
	}
	return nil, noSuchJob(id, r.ID, ids)
}

func (l *artifactList) showOrCopy(s *session, to string, asJSON bool) error {
	switch {
	case to != "":
		return l.copy(s, to)
	case asJSON:
		_, err := s.stdout.Write(document(struct {
			Artifacts []event.Artifact `json:"artifacts"`
		}{l.files}))
		return err
	case len(l.files) == 0:
		s.note("pikaci: no artifact was given back")
		return nil
	}
	t := tableWriter(s.stdout)
	fmt.Fprintln(t, "JOB\tPATH\tBYTES\tSHA256\tREFUSED")
	for _, a := range l.files {
		fmt.Fprintf(t, "%s\t%s\t%d\t%.12s\t%s\n", a.Job, cell(a.Path), a.Bytes, dash(a.SHA256), dash(cell(a.Refused)))
	}
	return t.Flush()
}

// copy copies all files that were kept, or none where one is there already.
func (l *artifactList) copy(s *session, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("make the folder to copy to: %w", err)
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return fmt.Errorf("open the folder to copy to: %w", err)
	}
	defer root.Close()
	for _, a := range l.files {
		if _, err := root.Lstat(l.place(a)); err == nil && a.Refused == "" {
			return &exitError{code: exitBroken, hint: "name another folder, or move the file away",
				message: fmt.Sprintf("%s is there already: nothing was copied", filepath.Join(to, l.place(a)))}
		}
	}
	for _, a := range l.files {
		if a.Refused != "" {
			s.note("pikaci: %s of job %s was refused: %s", a.Path, a.Job, a.Refused)
			continue
		}
		if err := l.copyOne(root, a); err != nil {
			return fmt.Errorf("copy artifact %s of job %s: %w", a.Path, a.Job, err)
		}
	}
	return nil
}

// place is where a file is copied to, below the folder.
func (l *artifactList) place(a event.Artifact) string {
	if l.one {
		return a.Path
	}
	return path.Join(a.Job, a.Path)
}

// copyOne copies a file that must be what the record says of it. Whatever lies
// on the way, nothing outside of the job's folder is read, and nothing outside
// of root is written.
func (l *artifactList) copyOne(root *os.Root, a event.Artifact) error {
	run, err := os.OpenRoot(l.dir.Path)
	if err != nil {
		return err
	}
	defer run.Close()
	from, err := run.OpenRoot(path.Join("jobs", a.Job, "artifacts"))
	if err != nil {
		return err
	}
	defer from.Close()
	in, err := from.Open(a.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	place := l.place(a)
	if err := root.MkdirAll(path.Dir(place), 0o755); err != nil {
		return err
	}
	out, err := root.OpenFile(place, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), in)
	err = errors.Join(err, out.Close())
	if got := hex.EncodeToString(sum.Sum(nil)); err == nil && got != a.SHA256 {
		err = fmt.Errorf("it is not what the job gave back: its SHA-256 is %s, and the record says %s", got, a.SHA256)
	}
	if err != nil {
		err = errors.Join(err, root.Remove(place))
	}
	return err
}
