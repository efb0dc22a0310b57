// Package inside tests, with the built program in network namespaces, what a
// profile can ask for beyond its subnets once a tunnel is up: routes that the
// server offers, host names, name servers and hooks.
package inside
