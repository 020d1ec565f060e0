/*
 * public_address.h -- which addresses belong to the public network.
 *
 * A server that asks URLs of others must not be led to what only it can reach:
 * itself, its neighbours, or a cloud's address for machines. It is the address
 * that a connection really goes to that counts, not what a name said before.
 */
#ifndef UP_PUBLIC_ADDRESS_H
#define UP_PUBLIC_ADDRESS_H

#include <stdbool.h>

struct sockaddr;

/* Whether an IPv4 or IPv6 address is public: not loopback, private, link-local,
 * shared, reserved, for documentation or multicast. An IPv6 address that stands
 * for an IPv4 one is judged by that. Other families are not public. */
bool up_public_address(const struct sockaddr *address);

#endif
