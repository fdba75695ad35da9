"""What may come: who may pass whom, with what chance, and how often such forecasts came true."""
