#include "datanode/datanode.h"

#define COUNTER(variable, metric_name, text)                                                                           \
    struct metric variable = {.name = metric_name, .help = text, .kind = METRIC_COUNTER}

COUNTER(datanode_bytes_read, "cairn_datanode_bytes_read_total", "Bytes of blocks sent to readers.");
COUNTER(datanode_bytes_written, "cairn_datanode_bytes_written_total", "Bytes of blocks received.");
COUNTER(datanode_blocks_read, "cairn_datanode_blocks_read_total", "Reads of blocks.");
COUNTER(datanode_blocks_written, "cairn_datanode_blocks_written_total", "Replicas finished, from whomever.");
COUNTER(datanode_blocks_received, "cairn_datanode_blocks_received_total", "Replicas finished by clients.");
COUNTER(datanode_blocks_replicated, "cairn_datanode_blocks_replicated_total", "Replicas that came from datanodes.");
COUNTER(datanode_blocks_cloned, "cairn_datanode_blocks_cloned_total", "Replicas that became two, sharing their data.");
COUNTER(datanode_blocks_removed, "cairn_datanode_blocks_removed_total", "Replicas deleted for the namenode.");
COUNTER(datanode_blocks_verified, "cairn_datanode_blocks_verified_total", "Replicas verified by the scrubber.");
COUNTER(datanode_verification_failures, "cairn_datanode_verification_failures_total", "Replicas found corrupt.");
COUNTER(datanode_transfers, "cairn_datanode_transfers_total", "Copies sent to other datanodes.");
COUNTER(datanode_files_passed, "cairn_datanode_files_passed_total", "Replicas whose files went to local readers.");
COUNTER(datanode_heartbeats, "cairn_datanode_heartbeats_total", "Heartbeats that the namenode answered.");
COUNTER(datanode_volume_failures, "cairn_datanode_volume_failures_total", "Volumes taken out.");
COUNTER(datanode_replicas_synced, "cairn_datanode_replicas_synced_total",
        "Finished replicas that a writer wanted on disk.");

void datanode_metrics_register(void)
{
    struct metric *all[] = {&datanode_bytes_read,      &datanode_bytes_written,   &datanode_blocks_read,
                            &datanode_blocks_written,  &datanode_blocks_received, &datanode_blocks_replicated,
                            &datanode_blocks_removed,  &datanode_blocks_verified, &datanode_verification_failures,
                            &datanode_transfers,       &datanode_files_passed,    &datanode_heartbeats,
                            &datanode_volume_failures, &datanode_replicas_synced, &datanode_blocks_cloned};
    for (size_t i = 0; i < ARRAY_COUNT(all); i++)
        metric_register(all[i]);
}
