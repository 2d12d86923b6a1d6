//go:build !unix

package main

import "os/exec"

func separate(*exec.Cmd) {}

func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
