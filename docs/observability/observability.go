// Package observability has the programs of docs/how-to/metrics-and-audit.md.
package observability

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/event"
)

func withPrometheus(cfg *fiberjwt.Config, registry prometheus.Registerer) {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fiberjwt_events_total", Help: "Sign-ins, refusals, logouts and failures.",
	}, []string{"type", "kind", "reason"})
	registry.MustRegister(events)

	cfg.OnEvent = func(_ context.Context, e event.Event) {
		events.WithLabelValues(string(e.Type), e.Kind, e.Reason).Inc()
	}
}

func withOpenTelemetry(cfg *fiberjwt.Config, meter metric.Meter) error {
	events, err := meter.Int64Counter("fiberjwt.events",
		metric.WithDescription("Sign-ins, refusals, logouts and failures."))
	if err != nil {
		return err
	}

	cfg.OnEvent = func(ctx context.Context, e event.Event) {
		events.Add(ctx, 1, metric.WithAttributes(
			attribute.String("type", string(e.Type)), attribute.String("kind", e.Kind), attribute.String("reason", e.Reason)))
	}
	return nil
}

func withAuditLog(cfg *fiberjwt.Config, audit *slog.Logger) {
	cfg.OnEvent = func(ctx context.Context, e event.Event) {
		audit.InfoContext(ctx, "auth", "event", e)
	}
}

func withWarnings(cfg *fiberjwt.Config, warnings chan<- event.Event) {
	cfg.OnEvent = func(_ context.Context, e event.Event) {
		if e.Type != event.Reuse {
			return
		}
		select {
		case warnings <- e: // a goroutine of the application sends the mails
		default: // never let a request wait for a mail server
		}
	}
}
