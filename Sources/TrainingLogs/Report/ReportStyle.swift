/// The look of a report.
enum ReportStyle {
    static let css =
        """
        :root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--ink:#24292f;--faint:#6a737d;\
        --edge:#e3e6ea;--warn:#fff6e5;--warnedge:#e9b44c;--accent:#2a6f97}
        @media (prefers-color-scheme:dark){:root{--ground:#0f1114;--card:#16191d;--ink:#e2e6ea;\
        --faint:#98a2ad;--edge:#2b3138;--warn:#2b2413;--warnedge:#8f6c22;--accent:#6cb6e4}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--ground);color:var(--ink);\
        font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
        main{max-width:1040px;margin:0 auto;padding:36px 20px 64px}
        h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em;overflow-wrap:anywhere}
        h2{font-size:18px;margin:36px 0 12px}
        h3{font-size:13px;font-weight:600;color:var(--faint);margin:18px 0 8px;\
        font-variant-numeric:tabular-nums}
        .now{margin:0 0 24px;color:var(--faint);font-variant-numeric:tabular-nums}
        .state{display:inline-block;padding:1px 10px;border-radius:99px;margin-right:8px;\
        border:1px solid var(--accent);color:var(--accent);font-size:13px}
        .card{background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:10px;\
        margin:0 0 14px}
        .pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:14px}
        .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(230px,1fr));gap:12px 24px;\
        padding:16px 18px;margin:0 0 14px}
        .facts div{min-width:0}
        dt{font-size:12px;color:var(--faint)}
        dd{margin:0;overflow-wrap:anywhere}
        svg{display:block;width:100%;height:auto}
        .warn{background:var(--warn);border:1px solid var(--warnedge);border-radius:10px;\
        padding:12px 18px;margin:0 0 14px}
        .warn ul{margin:4px 0 0;padding-left:20px}
        .row{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:12px}
        .row.latest{grid-template-columns:repeat(auto-fill,minmax(230px,1fr))}
        figure{margin:0}
        .row img{display:block;width:100%;height:auto;border-radius:8px;background:var(--edge)}
        figcaption{font-size:12px;line-height:1.35;color:var(--faint);margin-top:5px;\
        display:-webkit-box;-webkit-line-clamp:3;-webkit-box-orient:vertical;overflow:hidden}
        pre{margin:0;padding:6px 8px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;\
        font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
        .note{color:var(--faint);font-size:13px}
        @media print{body{background:#fff}.card{break-inside:avoid}}
        """
}
