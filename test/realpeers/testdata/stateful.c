/*
 * A plugin for pppd, which accepts stateful MPPE but never asks for it: ask.
 * Built with -DPPPD_VERSION="\"2.4.9\"", the version of the pppd that loads it.
 */
extern struct {
	char others[6];
	unsigned char mppe;
} ccp_wantoptions[];

enum { MPPE_STATEFUL = 4 };

char pppd_version[] = PPPD_VERSION;

void plugin_init(void)
{
	ccp_wantoptions[0].mppe |= MPPE_STATEFUL;
}
