"""Choose the windows of an average cross anew every half year, and see what that earned on bars it had not seen."""

import algotrendy as at

bars = at.sample("NASDAQ")
walk = at.walk_forward(
    at.strategies.sma_cross(),
    bars,
    {"fast": range(5, 41, 5), "slow": range(20, 201, 20)},
    where="fast < slow",
    training=504,  # two years of trading days
    testing=126,  # half a year
    commission=0.0005,
)
print(walk.summary())
print(f"of what the training promised, {walk.efficiency:.0%} was kept")
walk.plot().write_html("walk.html")
