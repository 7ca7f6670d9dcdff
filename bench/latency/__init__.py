"""How long webhooks take at a constant rate, whatever the server does: nobody waits for a slow answer before sending again."""
