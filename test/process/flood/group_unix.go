//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// separate puts the process into a new group, so that Ctrl-C in a
// terminal does not reach it before flood stops it.
func separate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
