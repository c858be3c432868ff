"""What calculate_indicators.py and analyze_market.py share."""
