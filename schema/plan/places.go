package plan

import (
	"slices"
	"strings"
)

// ownPlaces are the folders of a guest that pikaci mounts or makes.
var ownPlaces = []string{"/workspace/snapshot", "/opt/pikaci", "/run/pikaci", "/var/lib/pikaci"}

// guestPlaces are folders of the guest's own, and why a payload that is mounted
// in them is lost or breaks the guest.
var guestPlaces = []struct{ folder, why string }{
	{"/proc", "is the guest's kernel's"}, {"/sys", "is the guest's kernel's"}, {"/dev", "is the guest's kernel's"},
	{"/run", "is memory that the guest mounts when it starts"}, {"/var/run", "is memory that the guest mounts when it starts"},
	{"/nix", "holds the store paths that payloads refer to"},
	{"/usr", "is the guest's system"}, {"/bin", "is the guest's system"}, {"/sbin", "is the guest's system"},
	{"/lib", "is the guest's system"}, {"/lib32", "is the guest's system"}, {"/lib64", "is the guest's system"},
	{"/etc", "is the guest's system"}, {"/boot", "is the guest's system"},
}

// GuestPathProblem says why nothing can be mounted at a path of a guest; empty
// where something can. The path is absolute and clean.
func GuestPathProblem(p string) string {
	for _, own := range ownPlaces {
		if p == "/" || within(p, own) || within(own, p) {
			return "meets " + own + ", which pikaci mounts"
		}
	}
	if strings.HasPrefix(p, "/usr/local/") {
		return ""
	}
	for _, its := range guestPlaces {
		if within(p, its.folder) {
			return "lies in " + its.folder + ", which " + its.why
		}
	}
	if slices.Contains([]string{"/tmp", "/var/tmp"}, p) {
		return "is a folder that the guest's programs write to, and payloads are read-only"
	}
	return ""
}

// within reports whether a path is a folder or lies in it.
func within(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }
