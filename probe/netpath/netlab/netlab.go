// Package netlab builds a small internet out of network namespaces, for tests alone: a client, two routers and two servers of which every
// one can be made to filter, redirect or lose packets. What serves there, and what is to be found out, is left to the tests.
//
//	Client eth0 ── near Router1 far ── near Router2 far ─┬─ eth0 Server
//	                                                     └─ eth0 Server2
//
//	Client   10.1.0.2            fd01::2
//	Router1  10.1.0.1  10.2.0.1  fd01::1  fd02::1
//	Router2  10.2.0.2  10.3.0.1  fd02::2  fd03::1
//	Server   10.3.0.2            fd03::2
//	Server2  10.3.0.3            fd03::3
//
// The names near and far are those of the routers' interfaces, eth0 those of the others. Loopback is up everywhere. The routers tell of
// every packet that they cannot forward, without a limit of rate. Packets are as large as on a wire: nothing joins or splits them. What no
// wire does: an answer can be there before connect has returned. Linux then overlooks an ICMPv6 message, and takes the next one, which SYN
// brings when it is sent again after a second.
//
// The namespaces have no names. They belong to the process of the test and are gone with it, however it ends, and any number of labs can
// exist at once. Nothing leads out of a lab, to the machine's own networks least of all.
//
// It needs Linux and root, and the programs ip, nft and setpriv.
package netlab

// A Node is a computer of a lab.
type Node uint8

// The nodes.
const (
	Client Node = iota
	Router1
	Router2
	Server
	Server2 // in the network of Server
	nodes   = iota
)

// String returns the node's name for error messages.
func (n Node) String() string {
	return [nodes]string{"the client", "router 1", "router 2", "the server", "the second server"}[n]
}
