package realserver

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
)

// An owner is the user that a server runs as: the test's own or, where that is root, nobody. Servers refuse root's mail.
type owner struct {
	name, group string
	uid, gid    int
	become      bool // it is not the test's own user
}

func newOwner(t testing.TB) owner {
	t.Helper()
	u, err := user.Current()
	root := os.Geteuid() == 0
	if root {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatalf("find the user to run the server as: %v", err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatalf("find the group to run the server as: %v", err)
	}
	o := owner{name: u.Username, group: g.Name}
	o.uid, _ = strconv.Atoi(u.Uid) // a number on every Unix
	o.gid, _ = strconv.Atoi(u.Gid)
	o.become = root
	return o
}

// folder makes a temporary folder that the owner can use, and removes it with the test. t.TempDir will not do: only the
// user who runs the test can enter it.
func (o owner) folder(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "imapilot-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the server's folder: %v", err)
		}
	})
	if err := o.own(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mkdir makes folders below dir.
func (o owner) mkdir(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := o.own(path); err != nil {
			t.Fatal(err)
		}
	}
}

// write writes a file that only the owner can read, all at once.
func (o owner) write(path, text string) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
		return err
	}
	if err := o.own(temporary); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func (o owner) own(path string) error {
	if !o.become {
		return nil
	}
	if err := os.Chown(path, o.uid, o.gid); err != nil {
		return fmt.Errorf("give %s to %s: %w", path, o.name, err)
	}
	return nil
}

// host is where servers listen.
const host = "127.0.0.2"

// freePorts returns n ports that are free on host now. Another process may take one before the server does.
func freePorts(t testing.TB, n int) []uint16 {
	t.Helper()
	var ports []uint16
	for range n {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).AddrPort().Port())
	}
	return ports
}
