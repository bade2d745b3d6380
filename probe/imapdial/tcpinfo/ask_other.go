//go:build !linux

package tcpinfo

import "syscall"

// ask knows nothing on systems without TCP_INFO in this form.
func ask(syscall.RawConn) Info { return Info{} }
