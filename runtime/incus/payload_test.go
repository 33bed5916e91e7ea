package incus_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/nix"
	"github.com/sledtools/pikaci/runtime/payload"
	"github.com/sledtools/pikaci/schema/plan"
)

// manifest is a payload manifest with mounts given as name, path and place.
func manifest(mounts ...[3]string) string {
	var list []string
	for _, m := range mounts {
		list = append(list, fmt.Sprintf(`{"name": %q, "relative_path": %q, "guest_path": %q, "read_only": true}`, m[0], m[1], m[2]))
	}
	return `{"schema_version": 1, "kind": "k", "entrypoints": [], "asset_roots": [], "mounts": [` + strings.Join(list, ",") + `]}`
}

func TestPayloadsAreMountedAsTheySay(t *testing.T) {
	b := newBench(t, nil)
	b.file("out/whole/bin/tool", "#!/bin/sh\necho whole\n", 0o755)
	b.payload("whole", "out/whole", "/staged/whole")
	b.file("out/parts/real/file", "through a link\n", 0o644)
	b.file("out/parts/one", "one file\n", 0o644)
	b.file("out/parts/"+payload.ManifestPath, manifest([3]string{"dir", "link", "/mnt/with blank/dir"},
		[3]string{"file", "one", "/mnt/file"}), 0o644)
	if err := os.Symlink("real", filepath.Join(b.run.Dir, "out/parts/link")); err != nil {
		t.Fatal(err)
	}
	b.payload("parts", "out/parts", "/unused")
	got := b.passes(`/staged/whole/bin/tool; cat '/mnt/with blank/dir/file' /mnt/file hello; ls -d /unused 2>/dev/null || echo unused`)
	if got != "whole\nthrough a link\none file\nhi\nunused\n" {
		t.Errorf("got %q", got)
	}
}

func TestAPayloadThatCantBeMountedFailsThePreparation(t *testing.T) {
	for _, c := range []struct {
		name, manifest, guestPath, want string
	}{
		{"out of the output by a link", manifest([3]string{"m", "escape", "/m"}), "/p", "leads out of the output"},
		{"missing", manifest([3]string{"m", "nosuch", "/m"}), "/p", "mount m"},
		{"over the snapshot", "", "/workspace/snapshot/x", "overlaps the snapshot"},
		{"above the snapshot", "", "/workspace", "overlaps the snapshot"},
		{"over the guest program", "", "/opt/pikaci", "overlaps the guest program"},
		{"over the job's places", "", "/var/lib/pikaci/home", "overlaps the job's own places"},
		{"over the link to the job's places", "", "/run/pikaci", "overlaps the job's own places"},
		{"over each other", manifest([3]string{"a", "x", "/m"}, [3]string{"b", "y", "/m/n"}), "/p", "overlaps mount"},
		{"two of one device name", manifest([3]string{"a-b", "x", "/m"}, [3]string{"a_b", "y", "/n"}), "/p", "the same device name"},
		{"the name of another device", manifest([3]string{"_", "x", "/m"}), "/p", "the same device name"},
		{"not version 1", `{"schema_version": 2}`, "/p", "schema_version is 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.file("out/x/f", "", 0o644)
			b.file("out/y/f", "", 0o644)
			if err := os.Symlink("/etc", filepath.Join(b.run.Dir, "out/escape")); err != nil {
				t.Fatal(err)
			}
			if c.manifest != "" {
				b.file("out/"+payload.ManifestPath, c.manifest, 0o644)
			}
			b.payload("snapshot", "out", c.guestPath)
			b.create()
			out, err := b.execute(context.Background(), "true")
			if err != nil || out.Failure != event.Prepare || !strings.Contains(out.Reason, c.want) {
				t.Errorf("%+v, %v; want %q", out, err, c.want)
			}
		})
	}
}

// attack tries to write to a read-only mount as root in the guest, after all
// that might make it writable.
const attack = `
x=/x$at
for how in rw bind,rw rw,nosuid rw,relatime; do mount -o remount,$how "$at" 2>/dev/null; done
mkdir -p "$x" && mount --bind "$at" "$x" 2>/dev/null && mount -o remount,bind,rw "$x" 2>/dev/null
for dir in "$at" "$x"; do
	[[ -f $dir/$file ]] || echo "NOT MOUNTED $dir"
	chmod u+w "$dir/$file" 2>/dev/null
	{ echo owned >> "$dir/$file"; } 2>/dev/null && echo "WROTE $dir/$file"
	touch "$dir/new" 2>/dev/null && echo "MADE $dir/new"
	mv "$dir/$file" "$dir/old" 2>/dev/null && echo "MOVED $dir/$file" && mv "$dir/old" "$dir/$file"
done
umount "$x" 2>/dev/null
true`

func TestTheGuestsRootCantWriteToWhatTheHostOwns(t *testing.T) {
	t.Run("default profile", func(t *testing.T) { attacked(t, false, "default") })
	t.Run("payload there before the instance", func(t *testing.T) { attacked(t, true, "default") })
	t.Run("privileged profile", func(t *testing.T) {
		name := fmt.Sprintf("pikaci-test-%x", rand.Uint64())
		s := server(t, "")
		if err := s.CreateProfile(api.ProfilesPost{Name: name, ProfilePut: api.ProfilePut{
			Config: api.ConfigMap{"security.privileged": "true", "security.nesting": "true"}}}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.DeleteProfile(name) })
		attacked(t, false, "default", name)
	})
}

func attacked(t *testing.T, early bool, profiles ...string) {
	b := newBench(t, func(j *plan.Job) { j.User, j.Incus.Profiles = 0, profiles })
	b.early = early
	// Writable for everybody, so that nothing but the mount keeps them out.
	b.file("out/file", "payload\n", 0o666)
	b.file("snapshot/hello", "hi\n", 0o666)
	for _, dir := range []string{"out", "snapshot"} {
		if err := os.Chmod(filepath.Join(b.run.Dir, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	b.payload("role", "out", "/staged")
	// The last is the guest's own, to see that the attack works where it may.
	script := "cd /; mkdir /own; touch /own/file\n"
	for at, file := range map[string]string{"/staged": "file", "/workspace/snapshot": "hello", "/opt/pikaci": "pikaci-guest", "/own": "file"} {
		script += "at=" + at + " file=" + file + attack + "\n"
	}
	got := b.passes(script)
	for line := range strings.Lines(got) {
		if !strings.Contains(line, " /own/") && !strings.Contains(line, " /x/own/") {
			t.Errorf("the guest: %s", line)
		}
	}
	if !strings.Contains(got, "WROTE /own/file") || !strings.Contains(got, "MADE /x/own/new") {
		t.Errorf("the attack is none: %q", got)
	}
	for name, want := range map[string]string{"out/file": "payload\n", "snapshot/hello": "hi\n"} {
		if got, _ := os.ReadFile(filepath.Join(b.run.Dir, name)); string(got) != want {
			t.Errorf("%s is now %q", name, got)
		}
	}
}

// closureFlake has an output whose program works only where another one is,
// and itself, at their own places.
const closureFlake = `{
  outputs = { self }: let
    sh = name: env: script: builtins.derivation ({
      inherit name; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
      args = [ "-euc" script ]; nonce = "%x";
    } // env);
    library = sh "library" {} "mkdir $out; echo 'echo from the library' > $out/part.sh";
  in {
    tool = sh "tool" { inherit library; } ''
      mkdir -p $out/bin
      echo 'echo from itself' > $out/own.sh
      printf '#!/bin/sh\n. %%s/part.sh\n. %%s/own.sh\n' $library $out > $out/bin/tool
      chmod +x $out/bin/tool
    '';
    alone = sh "alone" {} ''
      mkdir -p $out/bin
      echo 'echo from itself' > $out/own.sh
      printf '#!/bin/sh\n. %%s/own.sh\n' $out > $out/bin/tool
      chmod +x $out/bin/tool
    '';
  };
}
`

// build has the Nix executor build an attribute of closureFlake.
func (b *bench) build(attr string) string {
	b.t.Helper()
	b.file("flake/flake.nix", fmt.Sprintf(closureFlake, rand.Uint64()), 0o644)
	s := plan.StagedPreparedPayload{PrepareNodeID: "build", Role: attr, DevicePrefix: attr,
		GuestMountPath: "/staged/" + attr, LocalMountPath: "jobs/job/staged-linux-rust/" + attr}
	b.job.Job.StagedPayloads = append(b.job.Job.StagedPayloads, s)
	x := nix.New(nix.Options{Settings: map[string]string{"sandbox": "false", "build-users-group": "", "substituters": ""}})
	out, err := x.Execute(context.Background(), b.task(&plan.Node{ID: "build",
		NixBuild: &plan.NixBuild{Installable: "path:flake#" + attr, OutputName: attr}}))
	if err != nil || out.Verdict != event.Passed {
		b.t.Fatalf("%+v, %v\n%s", out, err, b.job.Logs.Host)
	}
	path, err := os.Readlink(filepath.Join(b.run.Dir, s.LocalMountPath))
	if err != nil {
		b.t.Fatal(err)
	}
	return path
}

func TestAnOutputRunsBecauseItsClosureIsThere(t *testing.T) {
	for _, attr := range []string{"tool", "alone"} {
		t.Run(attr, func(t *testing.T) {
			b := newBench(t, nil)
			path := b.build(attr)
			got := b.passes("/staged/" + attr + "/bin/tool; ls /nix/store | wc -l; touch " + path + "/x 2>/dev/null || echo read-only")
			want := map[string]string{"tool": "from the library\nfrom itself\n2\nread-only\n", "alone": "from itself\n1\nread-only\n"}
			if got != want[attr] {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAClosureOfOtherPathsIsRefused(t *testing.T) {
	for _, line := range []string{"/etc", "/nix/store", "/nix/store/../../etc", "/nix/store/a/b", "nix/store/a", ""} {
		b := newBench(t, nil)
		b.file("out/f", "", 0o644)
		b.payload("role", "out", "/staged")
		b.file("jobs/job/staged-linux-rust/role.closure", line+"\n", 0o644)
		b.create()
		out, err := b.execute(context.Background(), "true")
		if err != nil || out.Failure != event.Prepare || !strings.Contains(out.Reason, "not a store path") {
			t.Errorf("%q: %+v, %v", line, out, err)
		}
	}
}
