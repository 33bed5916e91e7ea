package plan

import (
	"errors"
	"strings"
	"testing"
)

// goodPlan is a small plan that breaks no rule: a lane with a guest job of two
// payloads and a host job that needs it.
func goodPlan() *Plan {
	spec := func(role string) StagedPreparedPayload {
		return StagedPreparedPayload{
			PrepareNodeID: "prepare-x-" + role, Installable: "path:snapshot#ci." + role, OutputName: "ci." + role,
			LocalMountPath: "jobs/guest/staged-linux-rust/" + role, DevicePrefix: role,
			PrepareDescription: "Build " + role, Role: role, GuestMountPath: "/staged/" + role,
		}
	}
	build := func(role string, after ...string) Node {
		return Node{ID: "prepare-x-" + role, Description: "Build " + role, DependsOn: append([]string{}, after...),
			Jobs: []string{"guest"}, NixBuild: &NixBuild{Installable: "path:snapshot#ci." + role, OutputName: "ci." + role}}
	}
	job := func(id string) Job {
		return Job{ID: id, Lane: "lane", Description: "d", TimeoutSecs: 60, User: 1000, WorkingDir: "/workspace/snapshot",
			Env: map[string]string{"A": "1"}, Secrets: []string{"TOKEN"}, Needs: []string{}, Artifacts: []string{"**/*.xml"},
			StagedPayloads: []StagedPreparedPayload{}}
	}
	guest, host := job("guest"), job("host")
	guest.Incus = &Incus{Image: "pikaci/dev", InstanceType: Container, CPUs: 2, Memory: "2GiB", Profiles: []string{"default"}, Network: "none"}
	guest.StagedPayloads = []StagedPreparedPayload{spec("deps"), spec("build")}
	host.WorkingDir, host.Needs = ".", []string{"guest"}
	return &Plan{
		Sources:   []Source{{Path: "lanes/a.cue", SHA256: strings.Repeat("0", 64)}},
		Selection: Selection{Lanes: []string{}, Trigger: Branch, ChangedPaths: []string{}},
		Snapshot:  Snapshot{Exclude: []string{"ios"}},
		Lanes: []Lane{
			{ID: "lane", Title: "t", Description: "d", Trigger: Branch, Chosen: true, Reason: "trigger branch",
				HostSetup: [][]string{{"make"}}, Jobs: []string{"guest", "host"}},
			{ID: "other", Title: "o", Description: "d", Trigger: Nightly, Reason: "trigger nightly", HostSetup: [][]string{}, Jobs: []string{}},
		},
		Jobs: []Job{guest, host},
		Nodes: []Node{
			build("deps"), build("build", "prepare-x-deps"),
			{ID: "prepare-guest-runner", DependsOn: []string{}, Jobs: []string{"guest"}, IncusInstance: &IncusInstance{"guest"}},
			{ID: "execute-guest", DependsOn: []string{"prepare-x-deps", "prepare-x-build", "prepare-guest-runner"},
				Jobs: []string{"guest"}, GuestCommand: &GuestCommand{"guest", []string{"true"}}},
			{ID: "execute-host", DependsOn: []string{"execute-guest"}, Jobs: []string{"host"}, HostCommand: &HostCommand{"host", []string{"true"}}},
		},
	}
}

// TestCheck breaks one rule at a time.
func TestCheck(t *testing.T) {
	if err := Check(goodPlan()); err != nil {
		t.Fatalf("a good plan: %v", err)
	}
	for _, c := range []struct {
		name  string
		spoil func(*Plan)
		// want is in the text of some problem.
		want string
	}{
		{"exclude a path", func(p *Plan) { p.Snapshot.Exclude = []string{"a/b"} }, `"a/b" is not a name at the root`},
		{"exclude the parent", func(p *Plan) { p.Snapshot.Exclude = []string{".."} }, `".." is not a name at the root`},

		{"lane id", func(p *Plan) { p.Lanes[1].ID = "../x" }, "its id is not made of"},
		{"lane id too long", func(p *Plan) { p.Lanes[1].ID = strings.Repeat("x", 129) }, "its id is not made of"},
		{"lane twice", func(p *Plan) { p.Lanes[1].ID = "lane" }, "listed twice"},
		{"lane trigger", func(p *Plan) { p.Lanes[1].Trigger = "weekly" }, `trigger is "weekly"`},
		{"lane not chosen with jobs", func(p *Plan) { p.Lanes[0].Chosen = false }, "not chosen, but has jobs"},
		{"lane lists an unknown job", func(p *Plan) { p.Lanes[1].Chosen, p.Lanes[1].Jobs = true, []string{"x"} }, `lists job "x", which is not a job of it`},
		{"lane lists another's job", func(p *Plan) { p.Lanes[1].Chosen, p.Lanes[1].Jobs = true, []string{"host"} }, "which is not a job of it"},
		{"lane lists a job twice", func(p *Plan) { p.Lanes[0].Jobs = []string{"guest", "host", "host"} }, "a second time"},
		{"host_setup without program", func(p *Plan) { p.Lanes[0].HostSetup = [][]string{{}} }, "host_setup: want a program"},

		{"job id", func(p *Plan) { p.Jobs[0].ID = "a b" }, "its id is not made of"},
		{"job twice", func(p *Plan) { p.Jobs[1].ID = "guest" }, "listed twice"},
		{"job of no lane", func(p *Plan) { p.Lanes[0].Jobs = []string{"guest"} }, "no lane lists it"},
		{"timeout 0", func(p *Plan) { p.Jobs[0].TimeoutSecs = 0 }, "timeout_secs is 0"},
		{"timeout too long", func(p *Plan) { p.Jobs[0].TimeoutSecs = maxTimeout + 1 }, "timeout_secs is"},
		{"retries", func(p *Plan) { p.Jobs[0].Retries = -1 }, "retries is -1"},
		{"user", func(p *Plan) { p.Jobs[0].User = -1 }, "user is -1"},
		{"host job outside", func(p *Plan) { p.Jobs[1].WorkingDir = "../x" }, "want a path inside the snapshot"},
		{"host job with payloads", func(p *Plan) { p.Jobs[1].StagedPayloads = p.Jobs[0].StagedPayloads }, "a host job has no payloads"},
		{"guest job with the host's cache", func(p *Plan) { p.Jobs[0].HostCache = true }, "are a host job's only"},
		{"guest job with the host's shell", func(p *Plan) { p.Jobs[0].DevShell = "x" }, "are a host job's only"},
		{"dev shell that is an option", func(p *Plan) { p.Jobs[1].DevShell = "--x" }, `dev_shell is "--x"`},
		{"guest dir relative", func(p *Plan) { p.Jobs[0].WorkingDir = "x" }, "want an absolute, clean path"},
		{"env with NUL", func(p *Plan) { p.Jobs[0].Env["B"] = "\x00" }, "env B holds a NUL"},
		{"env name", func(p *Plan) { p.Jobs[0].Env["A-B"] = "" }, `"A-B" is not a name`},
		{"env reserved", func(p *Plan) { p.Jobs[0].Env["PATH"] = "" }, "PATH is set by pikaci"},
		{"secret name", func(p *Plan) { p.Jobs[0].Secrets = []string{"="} }, `"=" is not a name`},
		{"secret and env", func(p *Plan) { p.Jobs[0].Secrets = []string{"A"} }, "A is both env and secret"},
		{"needs an unknown job", func(p *Plan) { p.Jobs[1].Needs = []string{"x"} }, `needs "x", which is not another job`},
		{"needs itself", func(p *Plan) { p.Jobs[1].Needs = []string{"host"} }, `needs "host", which is not another job`},
		{"reads outside", func(p *Plan) { p.Jobs[0].Reads = []string{"a/**", "../b"} }, `glob "../b" of reads leaves the snapshot`},
		{"reads from the root", func(p *Plan) { p.Jobs[1].Reads = []string{"/etc/**"} }, `glob "/etc/**" of reads leaves the snapshot`},
		{"reads of nothing", func(p *Plan) { p.Jobs[1].Reads = []string{""} }, `glob "" of reads leaves the snapshot`},
		{"reads of many", func(p *Plan) { p.Jobs[0].Reads = []string{strings.Repeat("{a,b}", 20)} }, "of reads stands for over 1000 globs"},
		{"artifact outside", func(p *Plan) { p.Jobs[0].Artifacts = []string{"a/../../b"} }, "leaves the artifacts folder"},
		{"artifact glob of many", func(p *Plan) { p.Jobs[0].Artifacts = []string{strings.Repeat("{a,b}", 20)} }, "stands for over 1000 globs"},

		{"guest runner", func(p *Plan) { p.Jobs[0].Incus.GuestRunner = "/opt/../x" }, "incus.guest_runner"},
		{"image", func(p *Plan) { p.Jobs[0].Incus.Image = "a b" }, "incus.image"},
		{"instance type", func(p *Plan) { p.Jobs[0].Incus.InstanceType = "vm" }, `incus.instance_type is "vm"`},
		{"cpus", func(p *Plan) { p.Jobs[0].Incus.CPUs = 0 }, "incus.cpus is 0"},
		{"memory", func(p *Plan) { p.Jobs[0].Incus.Memory = "4G" }, `incus.memory "4G"`},
		{"profile", func(p *Plan) { p.Jobs[0].Incus.Profiles = []string{"a/b"} }, `"a/b" is not a name of a profile`},
		{"network", func(p *Plan) { p.Jobs[0].Incus.Network = "" }, `"" is not a name of a profile or network`},

		{"role twice", func(p *Plan) { p.Jobs[0].StagedPayloads[1].Role = "deps" }, "its role is not an id of its own"},
		{"mount path elsewhere", func(p *Plan) { p.Jobs[0].StagedPayloads[0].LocalMountPath = "/etc" }, "local_mount_path"},
		{"mount path twice", func(p *Plan) {
			p.Jobs[0].StagedPayloads[1].LocalMountPath = p.Jobs[0].StagedPayloads[0].LocalMountPath
		}, "a name of its own"},
		{"installable elsewhere", func(p *Plan) { p.Jobs[0].StagedPayloads[0].Installable = "path:/etc#x" }, "want path:snapshot#<output name>"},
		{"output that is an option", func(p *Plan) { p.Jobs[0].StagedPayloads[0].OutputName = "--x" }, "want path:snapshot#<output name>"},
		{"device prefix", func(p *Plan) { p.Jobs[0].StagedPayloads[0].DevicePrefix = "a.b" }, "device_prefix"},
		{"guest path", func(p *Plan) { p.Jobs[0].StagedPayloads[0].GuestMountPath = "/a/../b" }, "want an absolute, clean path"},
		{"guest path is the root", func(p *Plan) { p.Jobs[0].StagedPayloads[0].GuestMountPath = "/" }, "guest_mount_path / meets /workspace/snapshot"},
		{"guest path of the guest", func(p *Plan) { p.Jobs[0].StagedPayloads[0].GuestMountPath = "/usr/bin" }, "lies in /usr, which is the guest's system"},
		{"guest path twice", func(p *Plan) { p.Jobs[0].StagedPayloads[1].GuestMountPath = "/staged/deps" }, `it is mounted in payload "deps"`},
		{"guest path in another", func(p *Plan) { p.Jobs[0].StagedPayloads[1].GuestMountPath = "/staged/deps/x" }, `it is mounted in payload "deps"`},

		{"node id", func(p *Plan) { p.Nodes[0].ID = "-x" }, "its id is not made of"},
		{"node twice", func(p *Plan) { p.Nodes[1].ID = p.Nodes[0].ID }, "listed twice"},
		{"dependency behind", func(p *Plan) { p.Nodes[0].DependsOn = []string{"execute-host"} }, "which does not stand before it"},
		{"cycle of one", func(p *Plan) { p.Nodes[0].DependsOn = []string{"prepare-x-deps"} }, "which does not stand before it"},
		{"dependency twice", func(p *Plan) { p.Nodes[1].DependsOn = []string{"prepare-x-deps", "prepare-x-deps"} }, "twice"},
		{"node of an unknown job", func(p *Plan) { p.Nodes[0].Jobs = []string{"guest", "x"} }, `is for job "x"`},
		{"too many nodes", func(p *Plan) { p.Nodes = append(p.Nodes, make([]Node, maxNodes)...) }, "want at most"},
		{"no operation", func(p *Plan) { p.Nodes[0].NixBuild = nil }, "has 0 operations"},
		{"two operations", func(p *Plan) { p.Nodes[0].IncusInstance = &IncusInstance{"guest"} }, "has 2 operations"},
		{"build without end", func(p *Plan) { p.Nodes[0].NixBuild.TimeoutSecs = -1 }, "timeout_secs is -1"},
		{"another limit than planned", func(p *Plan) { p.Nodes[0].NixBuild.TimeoutSecs = 9 }, "prepare_timeout_secs is 0, and timeout_secs of node"},
		{"lane without end", func(p *Plan) { p.Lanes[0].TimeoutSecs = 1e9 }, "timeout_secs is 1000000000"},
		{"silence without end", func(p *Plan) { p.Jobs[0].SilenceSecs = -1 }, "silence_secs is -1"},
		{"build elsewhere", func(p *Plan) { p.Nodes[0].NixBuild.Installable = "path:/#x" }, "installable is"},
		{"operation of an unknown job", func(p *Plan) { p.Nodes[2].IncusInstance.Job = "x" }, `is of job "x"`},
		{"instance of a host job", func(p *Plan) { p.Nodes[2].IncusInstance.Job = "host" }, "one is of the host, one of a guest"},
		{"guest command on the host", func(p *Plan) {
			p.Nodes[3].HostCommand, p.Nodes[3].GuestCommand = &HostCommand{"guest", []string{"true"}}, nil
		}, "one is of the host, one of a guest"},
		{"node not named after its job", func(p *Plan) { p.Nodes[4].Jobs = []string{"host", "guest"} }, `want id "execute-host" and jobs ["host"]`},
		{"no command", func(p *Plan) { p.Nodes[3].GuestCommand.Command = nil }, "want a program"},
		{"command with NUL", func(p *Plan) { p.Nodes[3].GuestCommand.Command = []string{"a\x00"} }, "holds a NUL"},
		{"command too long", func(p *Plan) { p.Nodes[3].GuestCommand.Command = []string{strings.Repeat("x", maxCommandLen)} }, "want a program"},

		{"no execute node", func(p *Plan) { p.Nodes = p.Nodes[:4] }, `has no node "execute-host"`},
		{"payload not built", func(p *Plan) { p.Jobs[0].StagedPayloads[1].PrepareNodeID = "prepare-guest-runner" }, "does not build it for this job"},
		{"payload built for others", func(p *Plan) { p.Nodes[0].Jobs = []string{} }, "does not build it for this job"},
		{"payload not waited for", func(p *Plan) { p.Nodes[3].DependsOn = p.Nodes[3].DependsOn[1:] }, `does not wait for "prepare-x-deps"`},
		{"instance not waited for", func(p *Plan) { p.Nodes[3].DependsOn = p.Nodes[3].DependsOn[:2] }, `does not wait for "prepare-guest-runner"`},
		{"need not waited for", func(p *Plan) { p.Nodes[4].DependsOn = []string{} }, `does not wait for "execute-guest"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := goodPlan()
			c.spoil(p)
			err := Check(p)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			var problem *Problem
			if !errors.As(err, &problem) {
				t.Errorf("%T holds no *Problem", err)
			}
		})
	}
}

// TestGuestPathProblem names places of a guest where nothing can be mounted, and
// some like them where something can.
func TestGuestPathProblem(t *testing.T) {
	for _, bad := range []string{
		"/", "/opt", "/opt/pikaci", "/opt/pikaci/x", "/run", "/run/x", "/run/pikaci", "/var", "/var/lib", "/var/lib/pikaci", "/var/lib/pikaci/home",
		"/var/run/x", "/workspace", "/workspace/snapshot", "/workspace/snapshot/x", "/proc", "/proc/1", "/sys", "/dev", "/dev/shm", "/nix", "/nix/store",
		"/usr", "/usr/bin", "/usr/local", "/usr/lib/x", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/etc/ssl", "/boot", "/tmp", "/var/tmp",
	} {
		if GuestPathProblem(bad) == "" {
			t.Errorf("%s: something can be mounted", bad)
		}
	}
	for _, good := range []string{"/staged", "/staged/deps", "/opt/tools", "/opt/pikaci2", "/workspace/deps", "/usr/local/tools", "/tmp/x", "/home/x",
		"/srv", "/mnt/x", "/libs", "/etcetera", "/var/lib/x", "/x y"} {
		if why := GuestPathProblem(good); why != "" {
			t.Errorf("%s %s", good, why)
		}
	}
}

func TestMemoryMiB(t *testing.T) {
	for memory, want := range map[string]int{
		"4096MiB": 4096, "2GiB": 2048, "0MiB": 0, "-1MiB": 0, "4096": 0, "4GB": 0, "": 0, "MiB": 0,
		"1.5GiB": 0, "99999999999999999999MiB": 0, "9007199254740993GiB": 0, "+4MiB": 4,
	} {
		got, err := (&Incus{Memory: memory}).MemoryMiB()
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", memory, got, err)
		}
	}
}
