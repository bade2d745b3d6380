package netpath

import (
	"net"
	"net/netip"
	"slices"
)

// ownAddresses are those of this computer; nil if the system does not tell.
func ownAddresses() []netip.Addr {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var own []netip.Addr
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				own = append(own, ip.Unmap())
			}
		}
	}
	return own
}

// IsOwn reports whether an address is this computer's: then there is no path to look at.
func IsOwn(a netip.Addr) bool {
	return a.IsLoopback() || slices.Contains(ownAddresses(), a.Unmap())
}
