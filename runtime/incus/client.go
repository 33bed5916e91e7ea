package incus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/schema/plan"
)

// Options are what the host decides about its instances.
type Options struct {
	// Socket of the server; empty: the usual place.
	Socket  string
	Project string
	// StoragePool for root disks; empty: the profiles' own.
	StoragePool string
	// Root is the id of the state root whose runs the instances are of; they
	// are marked with it.
	Root string
	// Dial connects to the server in another way than by its socket, which
	// tests do; nil: by its socket.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Executor carries out instance and guest-command nodes, and takes instances
// back.
type Executor struct {
	options Options
	server  incus.InstanceServer
	// program is what runs in guests, for the server's architecture.
	program program

	mu sync.Mutex
	// nics are the network devices of each profile, by its name, and profiles
	// the digests of what is in them.
	nics     map[string][]string
	profiles map[string]string
	// images are the fingerprints that the jobs' images have now, by type and
	// name.
	images map[string]string
	// kernel is that of the server, which containers share.
	kernel string
	// made are instances as they were after their creation, by name.
	made map[string]made
	// unanswered are instances that were asked for without an answer: they may
	// come to be.
	unanswered map[string]bool
}

// made is what the update of an instance needs.
type made struct {
	instance api.InstancePut
	etag     string
	// adopted says that another process made it, and running that it was
	// started then.
	adopted, running bool
}

// Error is a problem of the host that somebody can do something about.
type Error struct {
	What string
	Do   string
	Err  error
}

// Error says what is wrong.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.What
	}
	return e.What + ": " + e.Err.Error()
}

// Hint says what to do.
func (e *Error) Hint() string { return e.Do }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New connects to the server. At the same time it asks for all that the jobs'
// instances need, so that what is missing is one clear message before anything
// is made.
func New(ctx context.Context, o Options, jobs ...plan.Job) (*Executor, error) {
	requests := new(http.Client)
	server, err := incus.ConnectIncusUnixWithContext(ctx, o.Socket, &incus.ConnectionArgs{
		UserAgent: "pikaci", HTTPClient: requests, SkipGetServer: true,
		// Without the event stream, an operation is waited for by one request.
		SkipGetEvents: true,
	})
	if err != nil {
		return nil, unreachable(o, err)
	}
	if t, ok := requests.Transport.(*http.Transport); ok {
		if o.Dial != nil {
			t.DialContext = o.Dial
		}
		requests.Transport = answers{t}
	}
	x := &Executor{options: o, server: server.UseProject(o.Project),
		made: map[string]made{}, nics: map[string][]string{}, profiles: map[string]string{}, images: map[string]string{},
		unanswered: map[string]bool{}}
	var greeted error
	var asking sync.WaitGroup
	asking.Go(func() { greeted = x.greet(server) })
	err = x.askFor(jobs)
	asking.Wait()
	if greeted != nil {
		err = greeted // the rest follows from it
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

// greet asks the server what it is.
func (x *Executor) greet(server incus.InstanceServer) error {
	info, _, err := server.GetServer()
	if err != nil {
		return unreachable(x.options, err)
	}
	env := info.Environment
	x.kernel = env.Kernel + " " + env.KernelVersion + " " + env.KernelArchitecture
	x.program, err = programFor(architectures[env.KernelArchitecture])
	return err
}

func unreachable(o Options, err error) error {
	where := o.Socket
	if where == "" {
		where = "its usual socket"
	}
	// That a socket was dialled is said already.
	if dial := new(net.OpError); errors.As(err, &dial) {
		err = dial.Err
	}
	hint := "start incusd (scripts/setup does), or name its socket with --incus-socket"
	if errors.Is(err, fs.ErrPermission) {
		hint = "join the group that owns the socket (mostly incus-admin), or run as root"
	}
	return &Error{What: "can't reach Incus at " + where, Err: err, Do: hint}
}

// askFor asks for the profiles and images of jobs.
func (x *Executor) askFor(jobs []plan.Job) error {
	asked := map[string]bool{}
	var questions []func() error
	for i := range jobs {
		in := jobs[i].Incus
		if in == nil {
			continue
		}
		for _, name := range in.Profiles {
			if !asked["profile "+name] {
				asked["profile "+name] = true
				questions = append(questions, func() error { return x.profile(name) })
			}
		}
		if key := imageKey(in); !asked[key] {
			asked[key] = true
			questions = append(questions, func() error { return x.image(in) })
		}
	}
	errs := make([]error, len(questions))
	var asking sync.WaitGroup
	for i, ask := range questions {
		asking.Go(func() { errs[i] = ask() })
	}
	asking.Wait()
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	// Without its project, all else is missing too.
	if _, _, projectErr := x.server.GetProject(x.options.Project); isNotFound(projectErr) {
		return x.missing("project", x.options.Project, "incus project list",
			"make it, or name another with --incus-project or in the runner file", projectErr)
	}
	return err
}

func (x *Executor) profile(name string) error {
	p, _, err := x.server.GetProfile(name)
	if err != nil {
		return x.missing("profile", name, "incus profile list", "make it, or name others in the runner file", err)
	}
	var nics []string
	for device, d := range p.Devices {
		if d["type"] == "nic" {
			nics = append(nics, device)
		}
	}
	slices.Sort(nics)
	content, err := json.Marshal(p.ProfilePut) // maps in the order of their keys
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.nics[name], x.profiles[name] = nics, hex.EncodeToString(sum[:])
	return nil
}

func (x *Executor) image(in *plan.Incus) error {
	var kind, fingerprint string
	var err error
	if isFingerprint(in.Image) {
		var image *api.Image
		if image, _, err = x.server.GetImage(in.Image); err == nil {
			kind, fingerprint = image.Type, image.Fingerprint
		}
	} else {
		// GetImageAliasType gives a type that differs no error of its own.
		var alias *api.ImageAliasesEntry
		if alias, _, err = x.server.GetImageAlias(in.Image); err == nil {
			kind, fingerprint = alias.Type, alias.Target
		}
	}
	if err == nil && kind != string(in.InstanceType) {
		err = api.StatusErrorf(http.StatusNotFound, "it is of type %s", kind)
	}
	if err != nil {
		other := "name another with --image or in the runner file"
		if in.Image == devImage && in.InstanceType == plan.Container {
			other = "scripts/setup makes this one"
		}
		return x.missing(string(in.InstanceType)+" image", in.Image, "incus image list", other, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.images[imageKey(in)] = fingerprint
	return nil
}

// devImage is the image that lanes get which name none.
const devImage = "pikaci/dev"

// missing is an error for something that the project does not have; other says
// what to do beside looking at the list.
func (x *Executor) missing(kind, name, list, other string, err error) error {
	if !isNotFound(err) {
		return &Error{What: fmt.Sprintf("ask Incus for %s %q", kind, name), Err: err}
	}
	what := fmt.Sprintf("Incus has no %s %q", kind, name)
	if kind != "project" {
		what += fmt.Sprintf(" in project %q", x.options.Project)
		list += " --project " + x.options.Project
	}
	return &Error{What: what, Do: list + " shows what is there; " + other}
}

// timeoutOf is the job's time as a duration.
func timeoutOf(j *runtime.JobContext) time.Duration {
	return time.Duration(j.Job.TimeoutSecs) * time.Second
}
