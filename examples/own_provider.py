"""A data provider of your own: a class with a name, its capabilities, and two coroutines."""

import pandas as pd

import algotrendy as at
from algotrendy.compute import wait_for
from algotrendy.data.providers import Capabilities, FallbackProvider, Fetched, get
from algotrendy.data.series import BarsRequest, Span
from algotrendy.domain.instrument import AssetClass, Instrument


class HouseProvider:
    """Bars from a source in your house; here it knows one instrument."""

    name = "house"
    capabilities = Capabilities(intervals=frozenset({"1d"}), asset_classes=frozenset({AssetClass.STOCK}))

    async def bars(self, request: BarsRequest) -> Fetched:
        self.capabilities.require(request, self.name)
        bars = at.synthetic(500, seed=11, start="2023-01-02")  # stands for your source
        times = bars.index.tz_localize("UTC")
        inside = (times >= request.span.start) & (times < request.span.end)
        return Fetched(
            bars=bars[inside],
            instrument=Instrument(asset_class="stock", venue="HOUSE", symbol=request.symbol),
            source=self.name,
            covered=Span(request.span.start, min(request.span.end, times[-1] + pd.Timedelta(days=1))),
        )

    async def close(self) -> None:
        pass


# The first of the list serves; were it down, the samples would, and a warning would say so.
source = FallbackProvider([HouseProvider(), get("sample")])
request = BarsRequest(symbol="ACME", interval="1d", span=Span.of("2023-06-01", "2024-06-01"))
fetched = wait_for(source.bars(request))
print(fetched.instrument.id, "from", fetched.source, "covers", fetched.covered)
print(fetched.bars.tail(3))
