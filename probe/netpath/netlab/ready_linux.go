package netlab

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// operUp is IF_OPER_UP of linux/if.h: the state of RFC 2863 in which an interface passes packets.
const operUp = 6

// readyLimit is how long links may take to work; it is a few milliseconds.
const readyLimit = 10 * time.Second

// awaitLinks returns when every interface that is up, of the namespace that the thread is in, sends what it is given. The end of a link
// that went up before the other one loses packets until a worker of the kernel has noticed that there is an other one.
func awaitLinks() error {
	for end := time.Now().Add(readyLimit); ; time.Sleep(time.Millisecond) {
		idle, err := idleInterface()
		if err != nil || idle == "" {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s does not work after %v", idle, readyLimit)
		}
	}
}

// idleInterface returns the name of an interface that is up and does not have the state of one that works; "" when there is none.
func idleInterface() (string, error) {
	answer, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	if err != nil {
		return "", os.NewSyscallError("netlink", err)
	}
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil {
		return "", os.NewSyscallError("netlink", err)
	}
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWLINK {
			continue
		}
		flags := (*syscall.IfInfomsg)(unsafe.Pointer(&m.Data[0])).Flags
		if flags&syscall.IFF_UP == 0 || flags&syscall.IFF_LOOPBACK != 0 {
			continue // loopback has no such state
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return "", os.NewSyscallError("netlink", err)
		}
		name, works := "", false
		for _, a := range attributes {
			switch a.Attr.Type {
			case unix.IFLA_IFNAME:
				name = string(bytes.TrimRight(a.Value, "\x00"))
			case unix.IFLA_OPERSTATE:
				works = a.Value[0] == operUp
			}
		}
		if !works {
			return name, nil
		}
	}
	return "", nil
}
