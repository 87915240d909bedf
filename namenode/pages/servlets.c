#include "namenode/pages/servlets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_page.h"
#include "namenode/blocks/blocks.h"
#include "namenode/namenode.h"

#define PAGE_MEMORY_MAX (64u << 20)

/* ---- racks ---- */

static int by_rack(const void *a, const void *b)
{
    const struct datanode_info *x = *(const struct datanode_info *const *)a,
                               *y = *(const struct datanode_info *const *)b;
    int order = strcmp(x->rack, y->rack);
    return order ? order : strcmp(x->hostname, y->hostname);
}

static void topology_json(struct buf *b, const struct datanode_info **nodes, size_t count)
{
    char address[400];
    json_begin(b, NULL, '[');
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(nodes[i]->rack, nodes[i - 1]->rack) != 0) {
            json_begin(b, NULL, '{');
            json_begin(b, nodes[i]->rack, '[');
        }
        snprintf(address, sizeof address, "%s:%u", nodes[i]->ip, nodes[i]->xfer_port);
        json_begin(b, NULL, '{');
        json_text(b, "ip", address);
        json_text(b, "hostname", nodes[i]->hostname);
        json_end(b, '}');
        if (i + 1 == count || strcmp(nodes[i]->rack, nodes[i + 1]->rack) != 0) {
            json_end(b, ']');
            json_end(b, '}');
        }
    }
    json_end(b, ']');
}

static void topology_text(struct buf *b, const struct datanode_info **nodes, size_t count)
{
    if (count == 0)
        buf_append_str(b, "No DataNodes");
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(nodes[i]->rack, nodes[i - 1]->rack) != 0)
            buf_printf(b, "%sRack: %s\n", i ? "\n" : "", nodes[i]->rack);
        buf_printf(b, "   %s:%u (%s)\n", nodes[i]->ip, nodes[i]->xfer_port, nodes[i]->hostname);
    }
}

void topology_page(struct http_request *request, struct http_reply *reply, void *namenode)
{
    struct namenode *nn = namenode;
    const char *format = http_query(request, "format"), *accept = http_header(request, "Accept");
    bool json = format ? strcmp(format, "json") == 0 : accept && strstr(accept, "application/json");
    const struct datanode_info **nodes = NULL;
    struct arena a;
    arena_init(&a, PAGE_MEMORY_MAX);
    namenode_lock(nn);
    size_t known = blocks_datanodes(nn->blocks, DATANODES_ALL, &a, &nodes), count = 0;
    for (size_t i = 0; i < known; i++)
        if (*nodes[i]->uuid)
            nodes[count++] = nodes[i];
    if (count)
        qsort(nodes, count, sizeof *nodes, by_rack);
    if (json && count)
        topology_json(&reply->body, nodes, count);
    else
        topology_text(&reply->body, nodes, count);
    namenode_unlock(nn);
    arena_free(&a);
    reply->content_type = json ? "application/json; charset=utf-8" : "text/plain; charset=utf-8";
}

/* ---- state ---- */

/* For load balancers: 405 would mean that it is not the active one. */
void is_active_page(struct http_request *request, struct http_reply *reply, void *namenode)
{
    buf_append_str(&reply->body, "NameNode is Active!");
}

/* There is no image to load; what takes time at a start is that datanodes report their blocks. */
void startup_page(struct http_request *request, struct http_reply *reply, void *namenode)
{
    static const struct {
        const char *name, *text;
    } phases[] = {{"LoadingFsImage", "Loading fsimage"},
                  {"LoadingEdits", "Loading edits"},
                  {"SavingCheckpoint", "Saving checkpoint"},
                  {"SafeMode", "Safe mode"}};
    struct namenode *nn = namenode;
    struct buf *b = &reply->body;
    namenode_lock(nn);
    bool waits = blocks_in_safe_mode(nn->blocks);
    namenode_unlock(nn);
    reply->content_type = "application/json; charset=utf-8";
    json_begin(b, NULL, '{');
    json_double(b, "percentComplete", waits ? 0 : 1);
    json_begin(b, "phases", '[');
    for (size_t i = 0; i < ARRAY_COUNT(phases); i++) {
        bool done = i + 1 < ARRAY_COUNT(phases) || !waits;
        json_begin(b, NULL, '{');
        json_text(b, "name", phases[i].name);
        json_text(b, "desc", phases[i].text);
        json_text(b, "status", done ? "COMPLETE" : "RUNNING");
        json_double(b, "percentComplete", done ? 1 : 0);
        json_begin(b, "steps", '[');
        json_end(b, ']');
        json_end(b, '}');
    }
    json_end(b, ']');
    json_end(b, '}');
}

/* ---- pages that bookmarks lead to ---- */

void to_status_page(struct http_request *request, struct http_reply *reply, void *namenode)
{
    reply->status = 302;
    http_reply_header(reply, "Location", "/");
}

/* As in Hadoop the path stands behind the "#", so that links to directories keep working; the rest is WebHDFS. */
static const char explorer[] =
    "<p><a href=\"/\">status</a><p id=where></p><table id=list></table><script>\n"
    "const get=(p,o)=>'/webhdfs/v1'+p.split('/').map(encodeURIComponent).join('/')+'?op='+o;\n"
    "const size=n=>{let u=0;while(n>=1024&&u<5){n/=1024;u++}return u?n.toFixed(1)+' '+'KMGTP'[u-1]+'iB':n+' B'};\n"
    "function row(cells,head){const r=document.createElement('tr');for(const c of cells){const "
    "d=document.createElement(head?'th':'td');\n"
    "if(c instanceof Node)d.append(c);else d.textContent=c;r.append(d)}return r}\n"
    "function link(text,to){const a=document.createElement('a');a.textContent=text;a.href=to;return a}\n"
    "async function show(){const "
    "p=decodeURIComponent(location.hash.slice(1))||'/',list=document.getElementById('list');\n"
    "document.getElementById('where').textContent=p;list.replaceChildren();\n"
    "const answer=await (await fetch(get(p,'LISTSTATUS'))).json();\n"
    "if(answer.RemoteException){list.append(row([answer.RemoteException.message]));return}\n"
    "list.append(row(['Permission','Owner','Group','Size','Modified','Replication','Name'],true));\n"
    "const base=p=='/'?'':p.replace(/\\/$/,'');if(base)list.append(row(['','','','','','',\n"
    "link('..','#'+encodeURI(base.slice(0,base.lastIndexOf('/'))||'/'))]));\n"
    "for(const f of answer.FileStatuses.FileStatus){const "
    "full=base+(f.pathSuffix?'/'+f.pathSuffix:''),dir=f.type=='DIRECTORY';\n"
    "list.append(row([f.permission,f.owner,f.group,dir?'':size(f.length),new "
    "Date(f.modificationTime).toLocaleString(),\n"
    "dir?'':f.replication,link(f.pathSuffix||p,dir?'#'+encodeURI(full):get(full,'OPEN'))]))}}\n"
    "addEventListener('hashchange',show);show()</script>";

void explorer_page(struct http_request *request, struct http_reply *reply, void *namenode)
{
    http_page_begin(reply, "Files");
    buf_append_str(&reply->body, explorer);
}

/* ---- what there is not ---- */

void no_image_page(struct http_request *request, struct http_reply *reply, void *namenode)
{
    http_fail(
        reply, 403,
        "GetImage failed. java.io.IOException: this namenode keeps its names in LevelDB and has no image or edits "
        "to transfer; copy dfs.namenode.name.dir while it is stopped");
}
