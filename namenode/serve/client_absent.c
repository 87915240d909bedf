/* ClientProtocol: features that files here do not have. Looking for them finds none, as on an HDFS where nobody set
 * any; setting one is refused with Hadoop's UnsupportedOperation. */
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

/* ---- snapshots ---- */

void client_get_snapshottable_dir_listing(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetSnapshottableDirListingResponseProto response = HDFS__GET_SNAPSHOTTABLE_DIR_LISTING_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}
