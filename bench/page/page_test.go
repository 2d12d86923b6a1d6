package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/bench/report"
)

const root = "../.."

func TestPageIsUpToDate(t *testing.T) {
	files, err := files(filepath.Join(root, "bench", "results"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, "docs", name)) //nolint:gosec // a page of the documents
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "docs/%s is out of date: go -C bench generate ./page", name)
	}
}

func TestReadmeQuotesMeasuredCosts(t *testing.T) {
	var c report.Comparison
	require.NoError(t, report.Load(filepath.Join(root, "bench", "results", "compare.json"), &c))
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	for _, quoted := range [][2]string{
		{"entity_vs_prepared", "fiberjwt"},
		{"cached_vs_bare", "fiberjwt"},
		{"entity_vs_hand", "contrib/jwt + Bun"},
	} {
		text, err := cost(c, quoted[0], quoted[1])
		require.NoError(t, err)
		require.True(t, bytes.Contains(readme, []byte(text)), "the README does not say that %s of %s costs %s", quoted[1], quoted[0], text)
	}
}

func TestMissingRowIsAnError(t *testing.T) {
	_, err := peersPicture(report.Comparison{})
	require.EqualError(t, err, "there is no row warm_vs_contrib")
	_, err = cost(report.Comparison{Rows: []report.Row{{Name: "a"}}}, "a", "b")
	require.EqualError(t, err, "the row a has no side b")
}

func TestGridHasFourToTenLines(t *testing.T) {
	for _, most := range []float64{7, 12, 26, 49, 99, 130, 480, 999} {
		lines := most / roundStep(most)
		require.GreaterOrEqual(t, lines, 4.0, most)
		require.LessOrEqual(t, lines, 10.0, most)
	}
}

func TestThousandsHaveCommas(t *testing.T) {
	for n, want := range map[int]string{7: "7", 999: "999", 1000: "1,000", 10_000: "10,000", 5_000_000: "5,000,000"} {
		require.Equal(t, want, thousands(n))
	}
}
