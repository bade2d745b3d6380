package netlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

// commandLimit is how long ip or nft may take.
const commandLimit = 20 * time.Second

// A Lab is the nodes and the links between them. Its methods end the test on an error, and are called by the test's goroutine.
type Lab struct {
	t          testing.TB
	ip, nft    string // paths of the programs
	setpriv    string
	namespaces [nodes]*os.File
}

// New builds a lab. It is taken down when the test ends. Where one cannot be had, the test is skipped with the reason, or fails, as
// [realserver.Require] has it; the environment variable's word for network namespaces and root is "namespaces".
func New(t testing.TB) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		realserver.Missing(t, "namespaces", "only root can make network namespaces")
	}
	l := &Lab{t: t, ip: realserver.Require(t, "ip"), nft: realserver.Require(t, "nft"), setpriv: realserver.Require(t, "setpriv")}
	t.Cleanup(l.close)
	for n := range l.namespaces {
		made, err := newNamespace()
		if err != nil {
			realserver.Missing(t, "namespaces", fmt.Sprintf("network namespaces are not to be had: %v", err))
		}
		l.namespaces[n] = made
	}
	for n := range Node(nodes) {
		l.check("set the parameters of "+n.String(), l.At(n, func() error { return setKernel(parameters(n)) }))
	}
	for _, b := range layout {
		l.batch(b.node, strings.Join(b.commands, "\n"))
	}
	for n := range Node(nodes) {
		l.check("wait for the links of "+n.String(), l.At(n, awaitLinks))
	}
	return l
}

func (l *Lab) close() {
	for _, f := range l.namespaces {
		if f != nil {
			f.Close()
		}
	}
}

func (l *Lab) check(what string, err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("netlab: %s: %v", what, err)
	}
}

// parameters are those of the kernel. Addresses are used at once, without the search for others that have them.
func parameters(n Node) [][2]string {
	p := [][2]string{{"ipv6/conf/default/accept_dad", "0"}, {"ipv6/conf/all/accept_dad", "0"}, {"ipv6/conf/default/accept_ra", "0"},
		{"ipv4/conf/all/rp_filter", "0"}, {"ipv4/conf/default/rp_filter", "0"}, {"ipv4/icmp_ratelimit", "0"}, {"ipv6/icmp/ratelimit", "0"}}
	if n == Router1 || n == Router2 {
		p = append(p, [2]string{"ipv4/ip_forward", "1"}, [2]string{"ipv6/conf/all/forwarding", "1"})
	}
	return p
}

// layout is the map of the package's doc, as ip -batch reads it. The file of node n is number 3+n to it. Interfaces that may send one
// segment at a time send packets as they would be on a wire. A link's second end goes up at a router, whose bridge then finds it working.
var layout = []struct {
	node     Node
	commands []string
}{
	{Router1, []string{
		"link set lo up",
		"link add near gso_max_segs 1 type veth peer name eth0 netns /proc/self/fd/3",
		"link add far gso_max_segs 1 type veth peer name near netns /proc/self/fd/5",
	}},
	{Router2, []string{
		"link set lo up",
		"link add far type bridge",
		"link add port1 type veth peer name eth0 netns /proc/self/fd/6",
		"link add port2 type veth peer name eth0 netns /proc/self/fd/7",
	}},
	{Client, host("10.1.0.2", "10.1.0.1", "fd01::2", "fd01::1")},
	{Server, host("10.3.0.2", "10.3.0.1", "fd03::2", "fd03::1")},
	{Server2, host("10.3.0.3", "10.3.0.1", "fd03::3", "fd03::1")},
	{Router2, []string{
		"link set port1 master far", "link set port2 master far",
		"link set port1 up", "link set port2 up", "link set far up",
		"link set near gso_max_segs 1", "link set near up",
		"addr add 10.2.0.2/24 dev near", "addr add fd02::2/64 dev near nodad",
		"addr add 10.3.0.1/24 dev far", "addr add fd03::1/64 dev far nodad",
		"route add 10.1.0.0/24 via 10.2.0.1", "route add fd01::/64 via fd02::1",
	}},
	{Router1, []string{
		"link set near up", "link set far up",
		"addr add 10.1.0.1/24 dev near", "addr add fd01::1/64 dev near nodad",
		"addr add 10.2.0.1/24 dev far", "addr add fd02::1/64 dev far nodad",
		"route add 10.3.0.0/24 via 10.2.0.2", "route add fd03::/64 via fd02::2",
	}},
}

// host sets up a node with one link.
func host(address4, gateway4, address6, gateway6 string) []string {
	return []string{
		"link set lo up", "link set eth0 gso_max_segs 1", "link set eth0 up",
		"addr add " + address4 + "/24 dev eth0", "addr add " + address6 + "/64 dev eth0 nodad",
		"route add default via " + gateway4, "route add default via " + gateway6,
	}
}

func (l *Lab) batch(n Node, commands string) {
	l.t.Helper()
	l.run(n, commands, l.ip, "-batch", "-")
}

// IP runs ip with arguments at a node, to change its links, addresses and routes.
func (l *Lab) IP(n Node, args ...string) {
	l.t.Helper()
	l.run(n, "", l.ip, args...)
}

// Nft gives a node a script of nft.
func (l *Lab) Nft(n Node, script string) {
	l.t.Helper()
	l.run(n, script, l.nft, "-f", "-")
}

// List returns what nft list prints of a node: of "ruleset", or of "set", "inet", "lab", NAME.
func (l *Lab) List(n Node, what ...string) string {
	l.t.Helper()
	return l.run(n, "", l.nft, append([]string{"list"}, what...)...)
}

// Filter adds rules to what a node does with packets of both families at a hook: input, output, forward, prerouting or postrouting.
func (l *Lab) Filter(n Node, hook string, rules ...string) {
	l.t.Helper()
	l.rules(n, "filter", hook, "filter", rules)
}

// NAT adds rules that change where connections go that pass a node, such as "tcp dport 993 redirect to :1993".
func (l *Lab) NAT(n Node, rules ...string) {
	l.t.Helper()
	l.rules(n, "nat", "prerouting", "dstnat", rules)
}

func (l *Lab) rules(n Node, kind, hook, priority string, rules []string) {
	l.t.Helper()
	chain := "inet lab " + kind + "-" + hook
	var script strings.Builder
	fmt.Fprintf(&script, "add table inet lab\nadd chain %s { type %s hook %s priority %s; }\n", chain, kind, hook, priority)
	for _, rule := range rules {
		fmt.Fprintf(&script, "add rule %s %s\n", chain, rule)
	}
	l.Nft(n, script.String())
}

// run runs a program of the machine at a node, as root, and returns what it prints. Its files from 3 on are the namespaces.
func (l *Lab) run(n Node, input, program string, args ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(input)
	cmd.ExtraFiles = l.namespaces[:]
	var output, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &complaint
	if err := l.At(n, cmd.Run); err != nil {
		l.t.Fatalf("netlab: %s at %s: %v\n%s\n%s", strings.Join(cmd.Args, " "), n, err, complaint.Bytes(), input)
	}
	return output.String()
}

// At calls do on a thread that is at a node, and returns its error. Sockets that do makes, in its own goroutine, and programs that it
// starts are there. It must not end the test.
func (l *Lab) At(n Node, do func() error) error { return within(l.namespaces[n], do) }

// Listen listens at a node for TCP, on an address such as 10.3.0.2:993. The listener is closed when the test ends.
func (l *Lab) Listen(n Node, address string) *net.TCPListener {
	l.t.Helper()
	var listener net.Listener
	err := l.At(n, func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	l.check("listen at "+n.String(), err)
	l.t.Cleanup(func() {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			l.t.Error(err)
		}
	})
	return listener.(*net.TCPListener)
}
