package event_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/event"
)

func TestEventIsLoggedAsGroupWithoutEmptyFields(t *testing.T) {
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("auth", "event", event.Event{
		Type: event.LoginRefused, Kind: "users", Reason: "invalid_credentials", Address: "10.0.0.1",
	})
	require.Contains(t, log.String(), "event.type=login_refused event.kind=users event.reason=invalid_credentials event.address=10.0.0.1\n")
	require.NotContains(t, log.String(), "subject")
}

func TestEventHasJSONNamesOfItsLog(t *testing.T) {
	text, err := json.Marshal(event.Event{Type: event.Refresh, Kind: "users", Subject: "1", SessionID: "s", Reason: "r", Address: "a", UserAgent: "u"})
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"refresh","kind":"users","subject":"1","session_id":"s","reason":"r","address":"a","user_agent":"u"}`, string(text))
}
