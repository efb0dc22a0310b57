// The arithmetic of MPPE-128 as an operating system's kernel does it, one stateless
// packet after the other: RC4 with a state of 32-bit entries, once for the next key
// and once for the packet. For the benchmark of the package, which adds the time
// of SHA-1; nothing else uses it.
//
// Linux's arc4 loads the next two entries before it gives out an octet. Compiled
// by gcc 12 for an AMD processor of 2024 that takes 7 % longer than this does.
//
// Standard input: lines of two numbers, packets and octets in each, at most 2048.
// Standard output: for each line, how many nanoseconds they took.
#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct rc4 {
	uint32_t s[256];
	uint32_t i, j;
};

__attribute__((noinline)) static void schedule(struct rc4 *c, const uint8_t *key, unsigned length)
{
	for (unsigned n = 0; n < 256; n++)
		c->s[n] = n;
	c->i = 1;
	c->j = 0;
	unsigned j = 0, k = 0;
	for (unsigned n = 0; n < 256; n++) {
		uint32_t x = c->s[n];
		j = (j + x + key[k]) & 255;
		c->s[n] = c->s[j];
		c->s[j] = x;
		if (++k == length)
			k = 0;
	}
}

__attribute__((noinline)) static void crypt(struct rc4 *c, uint8_t *data, unsigned length)
{
	uint32_t *s = c->s, i = c->i, j = c->j;
	while (length-- > 0) {
		uint32_t x = s[i];
		j = (j + x) & 255;
		uint32_t y = s[j];
		s[i] = y;
		s[j] = x;
		i = (i + 1) & 255;
		*data++ ^= s[(x + y) & 255];
	}
	c->i = i;
	c->j = j;
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(void)
{
	static struct rc4 c;
	static uint8_t data[64][2048], key[16];
	int packets, length;
	while (scanf("%d %d", &packets, &length) == 2 && length >= 0 && length <= 2048) {
		int64_t start = now();
		for (int n = 0; n < packets; n++) {
			key[n % 16] ^= data[n % 64][0]; // instead of SHA-1
			schedule(&c, key, sizeof key);
			crypt(&c, key, sizeof key);
			schedule(&c, key, sizeof key);
			crypt(&c, data[n % 64], length);
		}
		printf("%lld\n", (long long)(now() - start));
		fflush(stdout);
	}
	return 0;
}
