//go:build !unix

package realserver

import (
	"errors"
	"os/exec"
)

// The servers exist for Unix alone; [Require] says so before any of this is called.

func (o owner) as(*exec.Cmd, bool) {}

func terminate(int, bool) error { return errors.ErrUnsupported }

func reload(int) error { return errors.ErrUnsupported }
