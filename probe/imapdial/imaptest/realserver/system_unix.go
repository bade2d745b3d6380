//go:build unix

package realserver

import (
	"os/exec"
	"syscall"
)

// as makes cmd run as o, in a process group of its own if group.
func (o owner) as(cmd *exec.Cmd, group bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: group}
	if o.become {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}
	}
}

// terminate asks all processes of group to end, and does not ask if at once.
func terminate(group int, atOnce bool) error {
	if atOnce {
		return syscall.Kill(-group, syscall.SIGKILL)
	}
	return syscall.Kill(-group, syscall.SIGTERM)
}

// reload makes a server read its configuration again.
func reload(pid int) error { return syscall.Kill(pid, syscall.SIGHUP) }
