package e2e_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
)

// live echoes messages until the session ends.
func live(auth *fiberjwt.Auth) fiber.Handler {
	return fiberjwt.As(func(c *fiber.Ctx, user *User) error {
		session, _ := fiberjwt.SessionOf(c, "users") // still valid after the request
		return websocket.New(func(conn *websocket.Conn) {
			var watch sync.WaitGroup
			over := make(chan struct{})
			defer watch.Wait() // conn is reused for another client once this handler returns
			defer close(over)
			watch.Go(func() { closeWithSession(auth, session, conn, over) })
			for {
				kind, message, err := conn.ReadMessage()
				if err != nil {
					return
				}
				if err := conn.WriteMessage(kind, []byte(user.Email+": "+string(message))); err != nil {
					return
				}
			}
		})(c)
	})
}

// closeWithSession closes conn when the session has ended.
func closeWithSession(auth *fiberjwt.Auth, session *fiberjwt.Session, conn *websocket.Conn, over <-chan struct{}) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-over:
			return
		case <-ticker.C:
		}
		// Any other error means that the store did not answer. It says nothing about the session.
		err := auth.Alive(context.Background(), session)
		if errors.Is(err, fiberjwt.ErrTokenRevoked) || errors.Is(err, fiberjwt.ErrTokenExpired) {
			reason := websocket.FormatCloseMessage(websocket.ClosePolicyViolation, "the session has ended")
			_ = conn.WriteControl(websocket.CloseMessage, reason, time.Now().Add(time.Second))
			_ = conn.SetReadDeadline(time.Now()) // ReadMessage fails, and the handler returns. fasthttp ignores Close here.
			return
		}
	}
}
