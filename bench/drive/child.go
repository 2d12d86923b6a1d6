package drive

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/bench/measure"
)

// Serve serves app on a free port of 127.0.0.1, until standard input ends. It prints the
// address. It is the other end of [Start].
func Serve(app *fiber.App) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return app.Listener(listener)
}

// cpuPath is the route that tells how much CPU time the server has used.
const cpuPath = "/-/cpu"

// NewServer returns an application for [Serve]: New of Fiber with the route for [Child.CPU].
func NewServer() *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get(cpuPath, func(c *fiber.Ctx) error {
		used, err := measure.ProcessCPU()
		if err != nil {
			return err
		}
		return c.SendString(strconv.FormatInt(int64(used), 10))
	})
	return app
}

// Child is a server in a child process.
type Child struct {
	Addr  string
	input io.Closer
	cmd   *exec.Cmd
}

// Start starts this program with arguments that make it call [Serve].
func Start(arguments ...string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, arguments...)
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &Child{input: input, cmd: cmd}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	c.Addr = strings.TrimSpace(line)
	return c, nil
}

// CPU is a [measure.Clock]: the CPU time of the server.
func (c *Child) CPU() (time.Duration, error) {
	response, err := http.Get("http://" + c.Addr + cpuPath)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	nanos, err := strconv.ParseInt(string(text), 10, 64)
	return time.Duration(nanos), err
}

// Close ends the server.
func (c *Child) Close() error {
	_ = c.input.Close()
	return c.cmd.Wait()
}
