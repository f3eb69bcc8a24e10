// `/pay#INVOICE` is the link that merchants use; the wallet's own place for it is `/#/pay/INVOICE`.
location.replace(`/#/pay/${encodeURIComponent(location.hash.slice(1))}`);
