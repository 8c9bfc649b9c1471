package server

import (
	"log/slog"
	"net"
)

// Notify sends the state of the server to the service manager, a datagram to the socket
// that NOTIFY_SOCKET names (sd_notify(3); package net knows the abstract addresses that
// begin with "@"). Without a socket it does nothing; a failure does not stop the server.
func Notify(socket string, log *slog.Logger, state string) {
	if socket == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		log.Warn("notify the service manager", "state", state, "error", err)
		return
	}
	defer c.Close()
	if _, err := c.Write([]byte(state)); err != nil {
		log.Warn("notify the service manager", "state", state, "error", err)
	}
}
