package fault_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

var errCause = errors.New("the cause")

func TestClassifiedErrorsMatchTheirClassAndCause(t *testing.T) {
	classes := []error{fault.ErrSetup, fault.ErrBroken, fault.ErrUnavailable}
	for name, test := range map[string]struct {
		err  error
		want []error
		text string
	}{
		"Because":     {fault.Because(fault.ErrUnavailable, errCause), []error{fault.ErrUnavailable, errCause}, "the cause"},
		"Unavailable": {fault.Unavailable(errCause), []error{fault.ErrUnavailable, errCause}, "the cause"},
		"Broken":      {fault.Broken(errCause), []error{fault.ErrBroken, fault.ErrSetup, errCause}, "the cause"},
		"Setup":       {fault.Setup("set a secret"), []error{fault.ErrSetup}, "fiberjwt: set a secret"},
		"Setupf":      {fault.Setupf("set %d secrets", 2), []error{fault.ErrSetup}, "fiberjwt: set 2 secrets"},
		"wrapped":     {fmt.Errorf("while reading: %w", fault.Unavailable(errCause)), []error{fault.ErrUnavailable, errCause}, "while reading: the cause"},
	} {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, test.err, test.text)
			for _, want := range test.want {
				require.ErrorIs(t, test.err, want)
			}
			for _, class := range classes {
				expected := false
				for _, want := range test.want {
					expected = expected || want == class
				}
				require.Equal(t, expected, errors.Is(test.err, class), "%v", class)
			}
		})
	}
}

func TestNoErrorHasNoClass(t *testing.T) {
	require.NoError(t, fault.Because(fault.ErrSetup, nil))
	require.NoError(t, fault.Unavailable(nil))
	require.NoError(t, fault.Broken(nil))
	require.NoError(t, fault.Cause(nil))
	require.False(t, fault.IsUnavailable(nil))
}

func TestAnswerWrapsTheErrorOfTheHook(t *testing.T) {
	var err error = &fault.Answer{Err: errCause, Decided: true}
	require.EqualError(t, err, "the cause")
	require.ErrorIs(t, err, errCause)
	var answer *fault.Answer
	require.ErrorAs(t, fmt.Errorf("in a hook: %w", err), &answer)
	require.True(t, answer.Decided)
}

func TestCauseRemovesClassesButNoText(t *testing.T) {
	wrapped := fmt.Errorf("while reading: %w", fault.Unavailable(errCause))
	for name, test := range map[string]struct{ err, want error }{
		"an error without a class":  {errCause, errCause},
		"one class":                 {fault.Unavailable(errCause), errCause},
		"two classes":               {fault.Broken(fault.Unavailable(errCause)), errCause},
		"an answer":                 {&fault.Answer{Err: errCause}, errCause},
		"an answer with a class":    {fault.Broken(&fault.Answer{Err: errCause}), errCause},
		"an error that adds text":   {wrapped, wrapped},
		"a class around added text": {fault.Broken(wrapped), wrapped},
		"a Setup is its own cause":  {fault.Setup("x"), fault.Setup("x")},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, fault.Cause(test.err))
		})
	}
}

func TestRecoverReturnsTheErrorOfTheFunction(t *testing.T) {
	require.NoError(t, fault.Recover(func() error { return nil }))
	require.Same(t, errCause, fault.Recover(func() error { return errCause }))
}

func TestRecoverReturnsPanicsAsErrorsForTheLog(t *testing.T) {
	for name, test := range map[string]struct {
		panics func()
		text   string
	}{
		"a text":             {func() { panic("no id") }, "a hook panicked: no id"},
		"an error":           {func() { panic(errCause) }, "a hook panicked: the cause"},
		"a nil pointer":      {func() { var p *int; *p = 1 }, "a hook panicked: runtime error: invalid memory address or nil pointer dereference"},
		"a panic in a panic": {func() { defer func() { panic("second") }(); panic("first") }, "a hook panicked: second"},
	} {
		t.Run(name, func(t *testing.T) {
			err := fault.Recover(func() error { test.panics(); return nil })
			require.ErrorIs(t, err, fault.ErrBroken)
			require.ErrorIs(t, err, fault.ErrSetup)
			require.Equal(t, test.text, fault.Brief(err.Error()))
			require.Contains(t, err.Error(), "fault_test.go", "the stack names the place")
		})
	}
}

func TestOnlyLostAnswersAreUnavailable(t *testing.T) {
	_, missing := os.Open("a file that does not exist")
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"the class":                    {fault.Unavailable(errCause), true},
		"the class, wrapped":           {fmt.Errorf("reading: %w", fault.Unavailable(errCause)), true},
		"a deadline":                   {fmt.Errorf("reading: %w", context.DeadlineExceeded), true},
		"an ended context":             {context.Canceled, true},
		"a closed connection":          {sql.ErrConnDone, true},
		"a broken connection":          {driver.ErrBadConn, true},
		"an error of the network":      {fmt.Errorf("reading: %w", &net.OpError{Op: "dial", Err: errCause}), true},
		"a missing file":               {missing, false},
		"another error of a path":      {&fs.PathError{Op: "open", Path: "x", Err: os.ErrDeadlineExceeded}, false},
		"no row":                       {sql.ErrNoRows, false},
		"an error of the application":  {fault.Setup("set a secret"), false},
		"a panic":                      {fault.Broken(errCause), false},
		"an error of an unknown class": {errCause, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, fault.IsUnavailable(test.err))
		})
	}
}

func TestBriefIsTheFirstLineUpTo200Bytes(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty":                {"", ""},
		"one line":             {"no id", "no id"},
		"a stack":              {"no id\ngoroutine 1 [running]:\nmain.main()", "no id"},
		"an empty first line":  {"\nsecond", ""},
		"200 bytes":            {strings.Repeat("x", 200), strings.Repeat("x", 200)},
		"more than 200 bytes":  {strings.Repeat("x", 201), strings.Repeat("x", 200)},
		"a long line and more": {strings.Repeat("x", 300) + "\nsecond", strings.Repeat("x", 200)},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, fault.Brief(test.text))
		})
	}
}
