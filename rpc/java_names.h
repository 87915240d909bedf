/* The names that Hadoop's Java code has for protocols, methods and messages: some requests speak of those. */
#ifndef CAIRN_RPC_JAVA_NAMES_H
#define CAIRN_RPC_JAVA_NAMES_H

#include "common/buf.h"
#include "rpc/rpc_server.h"

/* "org.apache.hadoop.hdfs.protocolPB.ClientNamenodeProtocolPB" -> "org.apache.hadoop.hdfs.protocol.ClientProtocol"; any
 * other text is its own answer. */
struct slice java_protocol_name(const char *interface);

bool java_is_interface(const char *name);

/* What Java code makes of a method's signature, as ProtocolSignature does; two values, for protobuf's classes in
 * Hadoop's own package (since 3.3) and in Google's. false: we do not know the protocol's messages by their Java names.
 */
#define JAVA_FINGERPRINTS 2
bool java_fingerprints(const char *protocol, const struct rpc_method *m, uint32_t ret[JAVA_FINGERPRINTS]);

#endif
