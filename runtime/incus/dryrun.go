package incus

import (
	"net/http"
	"net/url"
	goruntime "runtime"
	"slices"

	"github.com/sledtools/pikaci/runtime"
)

// Request is one call of Incus' API, as a dry run shows it. The bodies are made
// by the functions that a run calls.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   any    `json:"body,omitempty"`
}

// PreflightRequests are what is asked before anything is made.
func PreflightRequests(o Options, jobs []*runtime.JobContext) []Request {
	list := []Request{{http.MethodGet, "/1.0", nil}}
	asked := map[string]bool{}
	add := func(path string) {
		if !asked[path] {
			asked[path] = true
			list = append(list, o.get(path))
		}
	}
	for _, j := range jobs {
		in := j.Job.Incus
		for _, name := range in.Profiles {
			add("/1.0/profiles/" + url.PathEscape(name))
		}
		if isFingerprint(in.Image) {
			add("/1.0/images/" + in.Image)
		} else {
			add("/1.0/images/aliases/" + url.PathEscape(in.Image))
		}
	}
	return list
}

// CreateRequests are what making a job's instance sends. The network devices
// that a network of none takes from profiles are not known without asking.
func CreateRequests(o Options, j *runtime.JobContext) []Request {
	return append(o.async(http.MethodPost, "/1.0/instances", createInstance(o, j, hostProgramDir(j), nil)),
		o.get("/1.0/instances/"+InstanceName(j.ID, j.Job.ID)))
}

// RunRequests are what running a job's command sends, and taking its instance
// back. The payloads are not built yet: their devices name the links that will
// lead to them, one for each payload, where a manifest may make more.
func RunRequests(o Options, j *runtime.JobContext, command []string) []Request {
	at := "/1.0/instances/" + InstanceName(j.ID, j.Job.ID)
	devices := baseDevices(o, j, hostProgramDir(j))
	for _, s := range j.Job.StagedPayloads {
		devices[deviceName(s.DevicePrefix, s.Role)] = disk(j.Job.Incus, j.RunContext.Dir+"/"+s.LocalMountPath, s.GuestMountPath)
	}
	start := guestStart(j, command)
	for _, secret := range j.Job.Secrets {
		start.Request.Env[secret] = "***"
	}
	var update []Request
	if len(j.Job.StagedPayloads) > 0 {
		update = o.async(http.MethodPut, at, map[string]any{"devices": devices})
	}
	return slices.Concat(update,
		o.async(http.MethodPut, at+"/state", startInstance()),
		o.async(http.MethodPost, at+"/exec", map[string]any{"exec": execGuest(), "stdin": start}),
		[]Request{o.get(at)},
		o.async(http.MethodPut, at+"/state", stopInstance()),
		o.async(http.MethodDelete, at, nil))
}

// hostProgramDir is the guest program's folder, as far as it is known without
// asking the server: it mostly runs on the same architecture.
func hostProgramDir(j *runtime.JobContext) string {
	p, err := programFor(goruntime.GOARCH)
	if err != nil {
		return "(the guest program)"
	}
	return p.dir(j.RunContext)
}

// async is a request that the server answers by an operation, and the wait for
// its end.
func (o Options) async(method, path string, body any) []Request {
	return []Request{{method, o.inProject(path), body}, o.get("/1.0/operations/{id}/wait")}
}

func (o Options) get(path string) Request { return Request{http.MethodGet, o.inProject(path), nil} }

func (o Options) inProject(path string) string {
	return path + "?project=" + url.QueryEscape(o.Project)
}
