/* Halves of requests take memory before anybody knows whose they are. Beyond a bound for all of them together the
 * connection that holds most is closed, whoever reads next: a client with a usual request does not pay for another's.
 */
#include <sys/socket.h>

#include "common/log.h"
#include "rpc/server_impl.h"

/* Under the lock the sum is that of the connections: whoever looks for the largest must not find the sum too large
 * because of one that has just ended. What was dropped counts no more, though its loop may still read what came. */
void input_counted(struct rpc_connection *c)
{
    struct rpc_server *s = c->server;
    if (c->input_bytes == c->in.len)
        return;
    pthread_mutex_lock(&s->input_lock);
    size_t now = c->is_input_dropped ? 0 : c->in.len;
    s->input_bytes += now - atomic_exchange(&c->input_bytes, now);
    pthread_mutex_unlock(&s->input_lock);
}

/* With a reference; NULL: nobody holds anything. */
static struct rpc_connection *input_largest(struct rpc_server *s)
{
    struct rpc_connection *largest = NULL;
    size_t most = 0;
    for (int i = 0; i < s->loop_count; i++) {
        struct rpc_connection *found = NULL;
        pthread_mutex_lock(&s->loops[i].lock);
        for (struct rpc_connection *c = s->loops[i].connections; c; c = c->next)
            if (c->input_bytes > most) {
                most = c->input_bytes;
                found = c;
            }
        if (found)
            found->refs++;
        pthread_mutex_unlock(&s->loops[i].lock);
        if (found && largest)
            connection_unref(largest);
        largest = found ? found : largest;
    }
    return largest;
}

/* Under input_lock. What it holds counts no more, and its loop, which alone may free it, is told by the end of the
 * stream. */
static void input_drop(struct rpc_connection *c)
{
    struct rpc_server *s = c->server;
    size_t bytes = atomic_exchange(&c->input_bytes, 0);
    s->input_bytes -= bytes;
    c->is_input_dropped = true;
    log_warn("rpc", "port %u: closed a connection from %s: %zu bytes of an unfinished request, the most of all",
             s->port, c->peer_ip, bytes);
    pthread_mutex_lock(&c->lock);
    c->dropped = true;
    if (!c->closed)
        shutdown(c->watch.fd, SHUT_RDWR);
    pthread_mutex_unlock(&c->lock);
}

void input_bound(struct rpc_server *s)
{
    if (s->input_bytes <= s->options.input_bytes_max)
        return;
    pthread_mutex_lock(&s->input_lock);
    for (struct rpc_connection *c; s->input_bytes > s->options.input_bytes_max && (c = input_largest(s));) {
        input_drop(c);
        connection_unref(c);
    }
    pthread_mutex_unlock(&s->input_lock);
}
