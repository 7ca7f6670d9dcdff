"""What to do when a metric moves: the part of docs/metrics.md that the code cannot tell by itself."""

from typing import Final

ADVICE: Final = {
    "hookline_ingress_requests_total": "5xx: webhooks are being lost, `outcome` says why. 403: a wrong token or PUBLIC_URL, or "
    "somebody who is not Twilio",
    "hookline_ingress_request_seconds": "Up: see which stage it is. Above 15 s Twilio has gone",
    "hookline_ingress_stage_seconds": "read: slow senders or network; verify, translate, reply: CPU; write: Redis, or the "
    "spool's disk",
    "hookline_ingress_batch_events": "Grows with load by itself. At 500 all the time, Redis or its network is the bottleneck",
    "hookline_ingress_signed_total": "An old token that still signs must stay; one that no longer does can be removed",
    "hookline_ingress_connections": "Near INGRESS_MAX_CONNECTIONS, idle ones are closed: look for clients that are not Twilio",
    "hookline_spool_events": "Above 0 for long: Redis is away or a backlog is full, see `hookline status`",
    "hookline_spool_bytes": "Towards INGRESS_SPOOL_MAX_MB: bring Redis back before webhooks get a 503",
    "hookline_spool_drained_total": "new: what the spool saved. Many duplicates: Redis took events whose answer was lost",
    "hookline_limits_shared": "0: each ingress limits by itself, so that the limits are as many times higher",
    "hookline_handler_seconds": "Up: what handlers call has become slow. Near PROCESSOR_HANDLER_TIMEOUT_S they are cancelled",
    "hookline_wait_seconds": "Up: too few workers. Start processors, or raise PROCESSOR_CONCURRENCY",
    "hookline_handler_failures_total": "Up: see `attempt failed` in the log",
    "hookline_handler_overdue_total": "Above 0: give what handlers call a time-out of its own, and let CancelledError through",
    "hookline_handler_blocked_loop_total": "Above 0: the handler must await, or be a plain def",
    "hookline_groups_recreated_total": "Above 0: somebody flushed Redis, or a failover lost data",
    "hookline_bodies_gone_total": "Above 0: something deletes or trims Hookline's streams; those events are lost",
    "hookline_fenced_total": "Now and then after a stall. Often: processors stall for longer than PROCESSOR_LEASE_S",
    "hookline_partitions_owned": "0 for long on one of several processors: there are more of them than partitions",
    "hookline_backlog_events": "Grows: events come faster than they are handled. The same in every processor",
    "hookline_oldest_event_seconds": "Up with a small backlog: an event is retried. Up with a large one: too few workers",
    "hookline_retrying_events": "Up: handlers fail. Of this processor only, so take the sum",
    "hookline_pending_events": "Near the backlog: all is taken, so handlers are the bottleneck. The same in every processor",
    "hookline_dead_events": "Up: `hookline dead list`. The same in every processor",
    "hookline_ledger_events_total": "stripped, set_aside: the database refused something, the log says what",
    "hookline_ledger_waiting_events": "Grows: the database is away or slow. Of this processor only",
    "hookline_ledger_batch_seconds": "Up: the database is slow. Above DATABASE_COMMAND_TIMEOUT_S a batch is repeated",
    "hookline_ledger_removed_total": "Stands still although LEDGER_RETENTION_DAYS is set: see the log of the "
    "processor that owns partition 0",
    "hookline_database_pool_connections": "waiting above 0: raise DATABASE_POOL_SIZE, or find out why the database is slow",
    "hookline_database_connections_total": "Many created and closed: something between here and the database cuts connections",
    "hookline_redis_operation_seconds": "Up: Redis, its disk or its network is slow. append is what replies wait for",
    "hookline_redis_up": "0: see /readyz?verbose",
    "hookline_redis_pool_connections": "waiting above 0 for long: raise REDIS_POOL_SIZE, or find out why Redis is slow",
    "hookline_redis_connections_total": "failed: Redis or the network breaks connections",
    "hookline_redis_data_at_risk": "1: see docs/redis.md, and set Redis up as it says",
    "hookline_redis_replicas": "Fewer than there should be: a failover would lose what is not replicated",
    "hookline_redis_replica_lag_bytes": "Grows: the replica cannot keep up, and a failover would lose so much",
    "hookline_breaker_state": "2: what it is named after fails. Mend that; it closes by itself",
    "hookline_breaker_transitions_total": "Opens again and again: it is overloaded rather than away",
    "hookline_tasks": "Grows and never falls: report it",
    "hookline_loop_lag_seconds": "Above 0.25: a handler blocks the loop, or the machine has too little CPU",
    "hookline_events_total": "accepted against done and dead: what comes and what goes. retry: another attempt will come",
    "hookline_alert": "1: see docs/alerts.md, and the alert's section in docs/runbook.md",
    "hookline_alert_posts_total": "failed: ALERT_URL is wrong or cannot be reached from here",
}
"""By the name of the metric."""
