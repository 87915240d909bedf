#include "namenode/pages/fsck.h"
void fsck_page(struct http_request *request, struct http_reply *reply, void *context)
{
    http_fail(reply, 501, "fsck is not there yet");
}
