package client

import (
	"goppptp/internal/control"
	"goppptp/profiles"
)

// StatusDown is the status of a profile that has no session.
func StatusDown(p *profiles.Profile) control.Status {
	return control.Status{Profile: p.Name, State: control.StateDown, Gateway: gatewayText(p), User: p.User, Routes: []control.Route{}}
}

// ProfileInfo tells of an installed profile what everybody may know.
func ProfileInfo(e profiles.Entry) control.ProfileInfo {
	info := control.ProfileInfo{Name: e.Name, File: e.Path}
	if p := e.Profile; p != nil {
		info.Gateway, info.User, info.Asks = gatewayText(p), p.User, !p.HasSecret() || p.Keyring
		info.Keyring = p.Keyring
		for _, r := range p.Routes {
			info.Routes = append(info.Routes, r.String())
		}
	}
	if e.Err != nil {
		info.Error = e.Err.Error()
	}
	return info
}
