package server

import (
	"net"
	"syscall"
)

// userAt returns which user is at the other end of a Unix socket, as the kernel says.
func userAt(conn net.Conn) (uid int, ok bool) {
	c, is := conn.(*net.UnixConn)
	if !is {
		return 0, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil || failed != nil {
		return 0, false
	}
	return int(cred.Uid), true
}
