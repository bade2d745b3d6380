//go:build !linux

package netpath

import (
	"context"
	"net"
)

// DialMSS would return a dialer whose connections carry at most mss octets in a segment. Here it returns [ErrUnavailable].
func DialMSS(int) (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	return nil, ErrUnavailable
}
