package server

import (
	"log/slog"
	"net"
)

// notify tells the service manager how far the server is, if one asked to be told:
// the protocol of sd_notify(3), a datagram to the socket that NOTIFY_SOCKET names
// ("@" in front: an address outside the file system, which package net knows). A
// manager that cannot be told is no reason to stop serving.
func Notify(socket string, log *slog.Logger, state string) {
	if socket == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		log.Warn("tell the service manager", "state", state, "error", err)
		return
	}
	defer c.Close()
	if _, err := c.Write([]byte(state)); err != nil {
		log.Warn("tell the service manager", "state", state, "error", err)
	}
}
