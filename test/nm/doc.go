// Package nm tests the VPN plugin in a real NetworkManager: one with its own
// system bus, network and file system, that nothing on this machine can see and
// that sees nothing of this machine.
//
// The test program starts itself again in new namespaces (unshare), where /usr,
// /etc and /var are overlays that vanish, so that the plugin is installed as it
// would be in earnest. Inside are two network namespaces:
//
//	NetworkManager's                          "server"
//	lan0 198.18.0.2/25   ------------------  lan0s 198.18.0.1/25   (default route)
//	lan1 198.18.0.130/25 ------------------  lan1s 198.18.0.129/25 (down at first)
//	                                         lo    198.51.100.10 = vpn.test, goppptp serve
//	                                               192.168.13.3, 172.16.0.10 behind it
//
// It needs root and Debian's network-manager, dbus-daemon, iproute2, util-linux
// and iputils-ping; it needs no systemd and no udev.
package nm
