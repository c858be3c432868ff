"""The replay market: a simulated or recorded exchange that speaks Binance's API."""
