package incus

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/schema/plan"
)

// ByHand is what Incus' own command line is told to do what a run does with a
// job: lines of a shell script, with $name for the instance, that quote quotes
// words for. The devices are
// those of the run; it is an error where its payloads were not built. Without
// pikaci-guest: no time limit, no artifacts, and output as it comes.
func ByHand(o Options, j *runtime.JobContext, command []string, quote func(string) string) ([]string, error) {
	payloads, err := payloadDevices(j)
	if err != nil {
		return nil, err
	}
	request := createInstance(o, j, "", nil)
	incus := func(words ...string) string {
		return "incus --project " + quote(o.Project) + " " + strings.Join(words, " ")
	}
	create := []string{"init", quote(j.Job.Incus.Image), `"$name"`}
	if j.Job.Incus.InstanceType == plan.VirtualMachine {
		create = append(create, "--vm")
	}
	for _, p := range j.Job.Incus.Profiles {
		create = append(create, "--profile", quote(p))
	}
	if len(j.Job.Incus.Profiles) == 0 {
		create = append(create, "--no-profiles")
	}
	if o.StoragePool != "" {
		create = append(create, "--storage", quote(o.StoragePool))
	}
	for _, key := range slices.Sorted(maps.Keys(request.Config)) {
		if !slices.Contains([]string{markRun, markNode, markJob}, key) { // it is not the run's
			create = append(create, "--config", quote(key+"="+request.Config[key]))
		}
	}
	lines := []string{"# The instance: limits, the snapshot and the payloads, all read-only.", incus(create...),
		"trap " + quote(incus("delete", "--force", `"$name"`)) + " EXIT"}
	devices := maps.Clone(request.Devices)
	maps.Copy(devices, payloads)
	delete(devices, programDevice)
	delete(devices, "root")
	if devices["eth0"] == nil && len(j.Job.Incus.Profiles) > 0 {
		lines = append(lines, "# A run takes every network device of the profiles away; this is the usual one.")
		devices["eth0"] = map[string]string{"type": "none"}
	}
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		words := []string{"config", "device", "add", `"$name"`, quote(name), quote(devices[name]["type"])}
		for _, key := range slices.Sorted(maps.Keys(devices[name])) {
			if key != "type" {
				words = append(words, quote(key+"="+devices[name][key]))
			}
		}
		lines = append(lines, incus(words...)+" >/dev/null")
	}
	lines = append(lines, incus("start", `"$name"`))
	return append(lines, runByHand(j, command, incus, quote)...), nil
}

// runByHand readies the job's places in the guest and runs its command.
func runByHand(j *runtime.JobContext, command []string, incus func(...string) string, quote func(string) string) []string {
	root := func(script string) string {
		return incus("exec", "-T", `"$name"`, "--", "sh", "-euc", quote(script))
	}
	user := strconv.Itoa(j.Job.User)
	own := func(dir string) string {
		return fmt.Sprintf("chown -R %s:$(id -g %s 2>/dev/null || echo %s) %s", user, user, user, dir)
	}
	home, artifacts, workspace := guest.Dir+"/home", guest.Dir+"/artifacts", guest.Dir+"/workspace"
	var lines []string
	if j.Job.Incus.InstanceType == plan.VirtualMachine {
		lines = append(lines, `until `+incus("exec", "-T", `"$name"`, "--", "true")+` 2>/dev/null; do sleep 1; done`)
	}
	lines = append(lines, "# The job's own places, which pikaci-guest makes in a run.",
		root(fmt.Sprintf("mkdir -p %s %s; ln -sfn %s %s; ip link set lo up 2>/dev/null || true; %s; %s",
			home, artifacts, guest.Dir, guest.RunDir, own(home), own(artifacts))))
	if j.Job.WritableWorkspace {
		lines = append(lines, "# Its own copy of the snapshot, in the snapshot's place.",
			root(fmt.Sprintf("cp -a %s %s; %s; mount --bind %s %s", guest.Snapshot, workspace, own(workspace), workspace, guest.Snapshot)))
	}
	lines = append(lines, "# The group of its user, as the guest has it.",
		"group=$("+incus("file", "pull", `"$name/etc/passwd"`, "-")+" | awk -F: -v u="+user+" '$3 == u && !n++ { print $4 } END { if (!n) print u }')")
	words := []string{"exec", "-T", `"$name"`, "--user", user, "--group", `"$group"`, "--cwd", quote(j.Job.WorkingDir), "--env", quote("HOME=" + home)}
	env := j.Environment(runtime.GuestArtifactsDir)
	for _, key := range slices.Sorted(maps.Keys(env)) {
		if slices.Contains(j.Job.Secrets, key) {
			words = append(words, "--env", `"`+key+`=$`+key+`"`)
			continue
		}
		words = append(words, "--env", quote(key+"="+env[key]))
	}
	words = append(words, "--")
	for _, arg := range command {
		words = append(words, quote(arg))
	}
	return append(lines, "# The command.", "code=0", incus(words...)+" || code=$?",
		"# To look around before it is gone: "+incus("exec", `"$name"`, "--", "sh"),
		"exit $code")
}
