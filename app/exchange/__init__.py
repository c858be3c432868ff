"""The only door to an exchange: ccxt behind one service, replies as domain types."""
