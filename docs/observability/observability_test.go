package observability

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/event"
)

// refuseOne sends a request with an invalid token.
func refuseOne(t *testing.T, configure func(*fiberjwt.Config)) {
	t.Helper()
	cfg := fiberjwt.Config{Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0")}
	configure(&cfg)
	auth, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	app := fiber.New()
	app.Use(auth.Handler())
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("Authorization", "Bearer nonsense")
	response, err := app.Test(request, -1)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 401, response.StatusCode)
}

func TestPrometheusCountsRefusals(t *testing.T) {
	registry := prometheus.NewRegistry()
	refuseOne(t, func(cfg *fiberjwt.Config) { withPrometheus(cfg, registry) })
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP fiberjwt_events_total Sign-ins, refusals, logouts and failures.
# TYPE fiberjwt_events_total counter
fiberjwt_events_total{kind="",reason="token_malformed",type="token_refused"} 1
`)))
}

func TestOpenTelemetryCountsRefusals(t *testing.T) {
	reader := sdk.NewManualReader()
	meter := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test")
	refuseOne(t, func(cfg *fiberjwt.Config) { require.NoError(t, withOpenTelemetry(cfg, meter)) })
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	points := all.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints
	require.Len(t, points, 1)
	require.EqualValues(t, 1, points[0].Value)
	reason, _ := points[0].Attributes.Value("reason")
	require.Equal(t, "token_malformed", reason.AsString())
}

func TestAuditLogRecordsRefusals(t *testing.T) {
	var text strings.Builder
	refuseOne(t, func(cfg *fiberjwt.Config) { withAuditLog(cfg, slog.New(slog.NewTextHandler(&text, nil))) })
	require.Contains(t, text.String(), "msg=auth event.type=token_refused event.reason=token_malformed")
}

func TestRefusalRaisesNoWarning(t *testing.T) {
	warnings := make(chan event.Event, 1)
	refuseOne(t, func(cfg *fiberjwt.Config) { withWarnings(cfg, warnings) })
	require.Empty(t, warnings)
}

func TestDocumentShowsThisCode(t *testing.T) {
	document, err := os.ReadFile("../how-to/metrics-and-audit.md")
	require.NoError(t, err)
	code, err := os.ReadFile("observability.go")
	require.NoError(t, err)
	flat := func(text []byte) string { return regexp.MustCompile(`\s+`).ReplaceAllString(string(text), " ") }
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(document, -1)
	require.Len(t, blocks, 4)
	for _, block := range blocks {
		require.Contains(t, flat(code), strings.TrimSpace(flat(block[1])))
	}
}
