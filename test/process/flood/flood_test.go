package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLoopbackTargetsAreAccepted(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://127.0.0.1:3000":          "127.0.0.1:3000",
		"http://127.0.0.1:3000/":         "127.0.0.1:3000",
		"http://127.8.9.10":              "127.8.9.10:80",
		"http://localhost:3000":          "127.0.0.1:3000",
		"http://[::1]:3000":              "[::1]:3000",
		"http://[::ffff:127.0.0.1]:3000": "127.0.0.1:3000",
	} {
		got, err := parseTarget(raw)
		require.NoError(t, err, raw)
		require.Equal(t, want, got.String(), raw)
	}
}

func TestOtherTargetsAreRefused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"http://example.com",
		"http://10.0.0.1",
		"http://0.0.0.0:3000",
		"http://[::]:3000",
		"http://192.168.1.1:3000",
		"http://[::ffff:10.0.0.1]:3000",
		"http://[fe80::1%25lo]:3000",
		"http://[::1%25lo]:3000",
		"http://localhost.example.com:3000",
		"http://127.0.0.1.example.com:3000",
		"http://myhost:3000",
		"http://127.1:3000",                   // some resolvers read it as 127.0.0.1
		"http://2130706433:3000",              // the same
		"http://127.0.0.1:3000@example.com",   // the host is example.com
		"http://example.com@127.0.0.1:3000",   // credentials are refused too
		"http://127.0.0.1:0",                  // no port
		"http://127.0.0.1:65536",              // no port
		"https://127.0.0.1:3000",              // flood speaks no TLS
		"http://127.0.0.1:3000/auth",          // the paths are fixed
		"http://127.0.0.1:3000/?x=1",          // the same
		"127.0.0.1:3000",                      // no scheme
		"http://",                             // no host
		"",                                    // nothing
		"http://127.0.0.1:3000\x00.evil.test", // not a URL
	} {
		_, err := parseTarget(raw)
		require.Error(t, err, raw)
	}
}

func TestDatabasesOnOtherMachinesAreRefused(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "flood.db", "/tmp/flood.db", "file:flood.db?_pragma=x", "sqlite://flood.db",
		"postgres://postgres@127.0.0.1:5432/test", "mysql://root@localhost:3306/test", "postgres://[::1]/test?sslmode=disable",
	} {
		require.NoError(t, checkDatabase(address), address)
	}
	for _, address := range []string{
		"postgres://postgres@db.example.com/test", "mysql://root@10.0.0.1:3306/test", "postgres:///test",
		"postgres://127.0.0.1,10.0.0.1/test", "postgres://127.0.0.1/test?host=10.0.0.1", "postgres://127.0.0.1/test?service=x",
	} {
		require.Error(t, checkDatabase(address), address)
	}
}

func TestFlagsAreBounded(t *testing.T) {
	t.Parallel()
	s, err := readSettings([]string{"-seconds", "3600", "-connections", "100000", "-accounts", "100000"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, settings{exampleDir: ".", seconds: 60, connections: 5000, accounts: 500}, s)
	for _, args := range [][]string{
		{"-seconds", "0"}, {"-connections", "-1"}, {"-accounts", "0"}, {"-only", "nothing"}, {"-pid", "1"}, {"more"},
		{"-url", "http://127.0.0.1:3000", "-db", "x.db"},
	} {
		_, err := readSettings(args, io.Discard)
		require.Error(t, err, args)
	}
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	t.Parallel()
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Millisecond)
	}
	require.Equal(t, 50*time.Millisecond, percentile(hundred, 50))
	require.Equal(t, 99*time.Millisecond, percentile(hundred, 99))
	require.Equal(t, 100*time.Millisecond, percentile(hundred, 100))
	require.Equal(t, 100*time.Millisecond, hundred[0], "the argument keeps its order")
	require.Equal(t, 2*time.Second, percentile([]time.Duration{2 * time.Second, time.Second}, 99))
	require.Equal(t, time.Second, percentile([]time.Duration{time.Second}, 1))
	require.Zero(t, percentile(nil, 99))
}

func TestRatioTakesTheGreatestDenominator(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	require.Equal(t, 5.0, ratio(10*ms, 2*ms, ms))
	require.Equal(t, 2.0, ratio(10*ms, 2*ms, 5*ms))
	require.Equal(t, 0.5, ratio(ms/2, ms/10, ms/10))
}

func TestOutcomeDependsOnStatusAndCode(t *testing.T) {
	t.Parallel()
	require.Equal(t, accepted, judge(200, nil))
	require.Equal(t, accepted, judge(201, nil))
	require.Equal(t, compared, judge(401, []byte(`{"error":"invalid_credentials"}`)))
	require.Equal(t, other, judge(401, []byte(`{"error":"no_token"}`)))
	require.Equal(t, limited, judge(429, nil))
	require.Equal(t, unavailable, judge(503, nil))
	require.Equal(t, other, judge(500, nil))
	require.Equal(t, "200: 2, no answer: 1", counts{accepted: 2, unanswered: 1}.String())
}

func TestAddressesAreLoopbackAndDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for n := range uint32(254 << 8) {
		p := address(n)
		require.True(t, p.IsLoopback(), p)
		require.False(t, seen[p.String()], p)
		seen[p.String()] = true
	}
}

func TestPeakMemoryIsReadFromProcStatus(t *testing.T) {
	t.Parallel()
	mib, err := parsePeakMemory("Name:\texample\nVmPeak:\t 9999999 kB\nVmHWM:\t  655360 kB\nVmRSS:\t   1024 kB\n")
	require.NoError(t, err)
	require.Equal(t, 640, mib)
	_, err = parsePeakMemory("Name:\tkthreadd\n")
	require.Error(t, err)
}

func TestLogLinesOfOneKindAreCountedTogether(t *testing.T) {
	t.Parallel()
	l := newLogTally()
	l.readFrom(strings.NewReader("fiberjwt example, listening on http://127.0.0.1:41234 (open it in a browser)\n"))
	require.Equal(t, "http://127.0.0.1:41234", <-l.url)
	l.reset()
	l.readFrom(strings.NewReader("2026/07/01 10:00:00 ERROR too busy id=1\n\n2026/07/01 10:00:01 ERROR too busy id=2\nother"))
	require.Equal(t, 3, l.count())
	kind, times := l.mostFrequent()
	require.Equal(t, "#/#/# #:#:# ERROR too busy id=#", kind)
	require.Equal(t, 2, times)
	require.Equal(t, "other", l.lastLine())
}

func TestTableIsMarkdown(t *testing.T) {
	t.Parallel()
	var table table
	table.add("a|b", "%d", 1)
	table.add("long", "%s", strings.Repeat("x", 1000))
	var out strings.Builder
	table.print(&out)
	require.Equal(t, "| name | figure |\n|---|---|\n| a\\|b | 1 |\n| long | "+strings.Repeat("x", maxCell)+"… |\n", out.String())
}
