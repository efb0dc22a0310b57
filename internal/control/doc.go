// Package control is the conversation with the daemon: HTTP and JSON over a
// unix socket, so that the command line, the tray and curl speak the same
// language.
//
//	GET    /v1/sessions                    every session: {"sessions": [Status…]}
//	GET    /v1/sessions/{profile}          one session: Status
//	POST   /v1/sessions/{profile}/up       connect; answers Status, or a stream of events
//	POST   /v1/sessions/{profile}/down     disconnect
//	POST   /v1/sessions/{profile}/routes   {"to": "192.168.14.0/24", "metric": 5}, or "host" for "to"
//	DELETE /v1/sessions/{profile}/routes   the same body, or ?to=192.168.14.0/24
//	GET    /v1/profiles                    the installed profiles
//	GET    /v1/events                      a JSON object a line, as it happens
//	GET    /v1/server/sessions             the sessions of a goppptp server
//	POST   /v1/server/sessions/{id}/kick   end one of them
//	GET    /metrics                        Prometheus text
//
// For example:
//
//	curl --unix-socket /run/goppptp/control.sock http://localhost/v1/sessions
//
// The package holds three parts: the messages (message.go, errors.go), the
// server half, which speaks for a [Backend] (server.go, handlers.go, stream.go), and
// the client half (client.go). It knows nothing of PPTP.
//
// Who may do what is decided from the credentials the kernel gives of the
// process at the other end (SO_PEERCRED): anybody may read the state; root and
// the group [Group] may change it, and whom Options.Authorize lets. A request
// names an installed profile; there is no message that carries a path or a command.
package control
