package dns

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// maxHostsFile bounds what is read of a hosts file; lists that block advertisers have a few megabytes.
const maxHostsFile = 16 << 20

// InHosts returns the addresses that the hosts file gives to name. It is empty when the name is not in it, and when there is no
// file that can be read.
func (c *Client) InHosts(name string) []netip.Addr {
	path := c.Hosts
	if path == "" {
		path = systemHosts()
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	return hostsLines(io.LimitReader(f, maxHostsFile), name)
}

func systemHosts() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("SystemRoot"), `System32\drivers\etc\hosts`)
	}
	return "/etc/hosts"
}

// hostsLines finds name in the lines of hosts(5): an address, then names, then perhaps a comment.
func hostsLines(r io.Reader, name string) []netip.Addr {
	name = strings.TrimSuffix(name, ".")
	var found []netip.Addr
	lines := bufio.NewScanner(r)
	for lines.Scan() && len(found) < maxRecords {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) < 2 {
			continue
		}
		isName := func(s string) bool { return strings.EqualFold(strings.TrimSuffix(s, "."), name) }
		a, err := netip.ParseAddr(fields[0])
		if err == nil && slices.ContainsFunc(fields[1:], isName) && !slices.Contains(found, a.Unmap()) {
			found = append(found, a.Unmap())
		}
	}
	return found
}
