package incus

import "testing"

func TestNamesOfDevices(t *testing.T) {
	for _, c := range []struct{ prefix, mount, want string }{
		{"workspace-deps", "workspace_deps_root", "pk-workspac-b966dd7a"},
		{"deps", "root", "pk-deps-root"},
		{"Deps", "Root.D", "pk-deps-root-d"},
		{"deps", "_", "pk-deps"},
		{"--deps", "x--", "pk-deps-x"},
		{"a2345678", "b2345678", "pk-a2345678-b2345678"},
		{"a2345678", "b23456789", "pk-a2345678-fbee10de"},
		{"d", "ünïcödé", "pk-d--n-c-d"},
	} {
		got := deviceName(c.prefix, c.mount)
		if got != c.want {
			t.Errorf("%q of %q: got %s, want %s", c.mount, c.prefix, got, c.want)
		}
		if len(got) > maxDeviceName {
			t.Errorf("%s has %d characters", got, len(got))
		}
	}
}

func TestNamesOfInstances(t *testing.T) {
	// sha256 of "20260326T013040Z-9247c703:notifications-unit".
	const want = "pikaci-168e8927e2a6"
	if got := InstanceName("20260326T013040Z-9247c703", "notifications-unit"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if InstanceName("run", "a") == InstanceName("run", "b") || InstanceName("run1", "a") == InstanceName("run2", "a") {
		t.Error("two jobs or runs have one name")
	}
}
